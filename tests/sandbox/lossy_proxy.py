"""Stands between clients and a server, and cuts connections at the worst moment: while a commit is on its way."""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter

READY = b"Z\x00\x00\x00\x05"  # ReadyForQuery: what the client sent is done, or has failed
LATE_SECONDS = 5.0
ASKS = (
    b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    b"\x00\x00\x00\x08\x04\xd2\x16\x30",
)  # SSLRequest, GSSENCRequest: whether it may encrypt


class LossyProxy:
    """Every `each`-th commit loses, in turns, its acknowledgement, or its way: it is cut off from its client at once,
    and comes to the server late, unless the server has closed the session by then. `cuts` counts both.

    It finds commits by their text, so it has sessions in clear: it says for the server that there are no others.
    """

    def __init__(self, address: str, server: str, port: int, each: int) -> None:
        self.cuts: Counter[str] = Counter()
        self._server = (server, port)
        self._each = each
        self._commits = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((address, port))
        self._stopped = threading.Event()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        """Wait for all that is late, too; the clients must have gone."""
        self._stopped.set()
        self._accepting.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._listener:
            while not self._stopped.is_set():
                if select.select([self._listener], [], [], 0.1)[0]:
                    client, _ = self._listener.accept()
                    self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                    self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        spared = False
        with client, socket.create_connection(self._server) as server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = _received(source)
                    if not data:
                        return
                    if source is server:
                        client.sendall(data)
                        continue
                    if data in ASKS:
                        client.sendall(b"N")
                        continue
                    spared = spared or b"canary-report" in data
                    how = None if spared else self._fate(data)
                    if how is None:
                        server.sendall(data)
                        continue
                    client.shutdown(socket.SHUT_RDWR)
                    if how == "late":
                        select.select([server], [], [], LATE_SECONDS)
                    server.sendall(data)
                    while (answer := _received(server)) and READY not in answer:
                        continue
                    return

    def _fate(self, data: bytes) -> str | None:
        # either a transaction's last round trip, or a statement that is a transaction of its own
        if b"COMMIT" not in data and b"INSERT INTO canary.writes" not in data[:40]:
            return None
        with self._lock:
            self._commits += 1
            if self._commits % self._each:
                return None
            how = "late" if self._commits // self._each % 2 else "unacknowledged"
            self.cuts[how] += 1
            return how


def _received(source: socket.socket) -> bytes:
    """Empty when the other end is gone, however it went."""
    try:
        return source.recv(65536)
    except ConnectionResetError:
        return b""
