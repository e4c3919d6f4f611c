"""Stands between two servers, and can go silent: what is connected stays so, and nothing comes through any more."""

from __future__ import annotations

import select
import socket
import threading


class SilentProxy:
    """`cut()`: from then on nobody hears of the other, without a word. `mend()`: new connections go through again.

    Those that are tried meanwhile go through then, as their SYN is sent again and again.
    """

    def __init__(self, address: str, server: str, port: int) -> None:
        self._server = (server, port)
        self._listener = socket.create_server((address, 0))
        self.port = int(self._listener.getsockname()[1])
        self._stopped = threading.Event()
        self._silent = threading.Event()
        self._kept: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        self._silent.set()

    def mend(self) -> None:
        self._silent.clear()

    def close(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        for kept in self._kept:
            kept.close()

    def _accept(self) -> None:
        with self._listener:
            while not self._stopped.is_set():
                if not select.select([self._listener], [], [], 0.1)[0]:
                    continue
                if self._silent.is_set():
                    self._stopped.wait(0.1)
                    continue
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._kept += [client, server]
                self._threads.append(threading.Thread(target=self._serve, args=(client, server)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while not self._stopped.is_set() and not self._silent.is_set():
            for source in select.select([client, server], [], [], 0.05)[0]:
                try:
                    data = source.recv(65536)
                    other[source].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    client.close()
                    server.close()
                    return
