"""Loopback addresses: every server of the sandbox has one of its own, so that all can listen on one port, as on RDS."""

from __future__ import annotations

import errno
import random
import socket
import sys
from collections.abc import Container, Iterator

from rotator.sandbox.errors import SandboxError

ATTEMPTS = 64


def database_port(preferred: int) -> int:
    """The port for the servers of one sandbox: `preferred`, or any other where that one is taken on all addresses.

    A program that listens on all addresses (a database in a container, say) takes a port on every loopback address.
    """
    try:
        free_address(preferred)
    except SandboxError:
        with socket.socket() as probe:
            probe.bind(("", 0))
            return int(probe.getsockname()[1])
    return preferred


def free_address(port: int, taken: Container[str] = ()) -> str:
    """An address of 127.0.0.0/8 on which `port` can be bound now and that is not in `taken`. Raises SandboxError."""
    problem: OSError | None = None
    for address in _candidates():
        if address in taken:
            continue
        problem = _bind_problem(address, port)
        if problem is None:
            return address
    raise SandboxError(
        f"no loopback address with a free port {port}",
        why=str(problem) if problem else "all are in use",
        fix=(
            "macOS: add addresses, for example: for i in 2 3 4 5 6; do sudo ifconfig lo0 alias 127.0.0.$i; done"
            if problem is not None and problem.errno == errno.EADDRNOTAVAIL
            else f"stop the program that listens on port {port} on all addresses"
        ),
    )


def _candidates() -> Iterator[str]:
    """Linux answers on all of 127.0.0.0/8 (random ones: two sandboxes must not meet); macOS only on configured ones."""
    if sys.platform == "darwin":
        yield from (f"127.0.0.{last}" for last in range(1, 32))
        return
    pick = random.SystemRandom()
    for _ in range(ATTEMPTS):
        yield f"127.{pick.randint(64, 191)}.{pick.randint(0, 255)}.{pick.randint(1, 254)}"


def _bind_problem(address: str, port: int) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does: old connections do not count
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None
