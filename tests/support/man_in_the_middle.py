"""A server that is not the database: it says what PostgreSQL says until it has been given the password in clear.

Source: PostgreSQL manual, "Message Formats" (SSLRequest, AuthenticationCleartextPassword, PasswordMessage).
"""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rotator.sandbox.postgres.authority import Authority

CLEARTEXT = b"R" + struct.pack("!ii", 8, 3)
NO_TLS, TLS = b"N", b"S"


@dataclass
class Man:
    """Where he stands, who came, and what he was told."""

    address: str
    port: int
    came: int = 0
    passwords: list[str] = field(default_factory=list)


@contextmanager
def man_in_the_middle(
    authority: Authority | None, *names: str, address: str = "127.0.0.1", port: int = 0
) -> Iterator[Man]:
    """With a certificate of `authority` for `names`; without one he says that he speaks no TLS."""
    with socket.create_server((address, port)) as listener, tempfile.TemporaryDirectory() as folder:
        man = Man(address, listener.getsockname()[1])
        context = _context(authority, names, Path(folder)) if authority else None
        thread = threading.Thread(target=_serve, args=(listener, context, man), daemon=True)
        thread.start()
        yield man
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _context(authority: Authority, names: tuple[str, ...], folder: Path) -> ssl.SSLContext:
    certificate, key = authority.issue(names)
    (folder / "both.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def _serve(listener: socket.socket, context: ssl.SSLContext | None, man: Man) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        man.came += 1
        client.settimeout(5)
        with client, suppress(OSError):  # a client that goes away is what the tests look for
            _ask(client, context, man)


def _ask(client: socket.socket, context: ssl.SSLContext | None, man: Man) -> None:
    head = client.recv(8)
    if len(head) == 8 and struct.unpack("!ii", head) == (8, 80877103):
        client.sendall(TLS if context else NO_TLS)
        client = context.wrap_socket(client, server_side=True) if context else client
        head = client.recv(8)
    if len(head) < 8:
        return
    client.recv(struct.unpack("!i", head[:4])[0] - 8)
    client.sendall(CLEARTEXT)
    answer = client.recv(1024)
    if answer[:1] == b"p":
        man.passwords.append(answer[5:].rstrip(b"\0").decode())
