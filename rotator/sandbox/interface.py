"""Interfaces between the parts of the local AWS: database servers, a DNS server, test data, a write canary.

The AWS half (moto and its patches) holds a `Fleet` and answers a `Lookup`; the data half implements the servers.
Nothing outside the sandbox imports this room but its command-line verbs and tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from psycopg.conninfo import make_conninfo

DATABASE_PORT = 5432
"""Every server listens on its own loopback address; RDS for PostgreSQL's port, unless another one is asked for."""

Lookup = Callable[[str, str], "tuple[Answer, ...]"]
"""(name without trailing dot, query type such as 'A' or 'CNAME') -> answers in order; empty when there are none.

For an address query the whole CNAME chain is in the answers, as a recursive resolver would give it.
"""

Progress = Callable[[str], None]
"""Called with a short line of what is being done."""


@dataclass(frozen=True)
class Answer:
    """One resource record: owner `name`, `kind` ('A', 'CNAME', ...), `value` without trailing dot, `ttl` in seconds."""

    name: str
    kind: str
    value: str
    ttl: int


@dataclass(frozen=True)
class Login:
    """The address and credentials of a database. The password is not in repr.

    `authority`: certificate file that verifies the server; None: the server has no TLS.
    """

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)
    authority: str | None = None

    def conninfo(self, sslmode: str, **more: str | int) -> str:
        """For libpq; `sslmode` is what is asked of a server that speaks TLS."""
        tls = {"sslmode": sslmode, "sslrootcert": self.authority} if self.authority else {}
        who = {"user": self.user, "password": self.password, "dbname": self.database}
        return make_conninfo("", host=self.host, port=self.port, **who, **tls, **more)


@dataclass(frozen=True)
class CanarySettings:
    """Settings of the write canary: `login.host` is the CNAME that it resolves at `resolver` ('HOST:PORT')."""

    login: Login
    resolver: str
    writers: int
    writes_per_second: float
    folder: Path


class Fleet(Protocol):
    """Real database servers, one per DB instance; and their snapshots. Thread-safe.

    All methods block until the work is done, and raise SandboxError if it fails. Snapshots outlive the instance
    that they were taken from.
    """

    def create(
        self,
        identifier: str,
        user: str,
        password: str,
        database: str,
        parameters: Mapping[str, str],
        port: int = DATABASE_PORT,
    ) -> str:
        """Make and start an empty server with that superuser and database; give its loopback IPv4 address."""
        ...

    def snapshot(self, identifier: str, snapshot_id: str) -> None:
        """Keep a crash-consistent copy of a server's data while it goes on running (or of a stopped one)."""
        ...

    def copy_snapshot(self, source_id: str, target_id: str) -> None:
        """Copy a snapshot under another id."""
        ...

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Forget a snapshot; nothing happens when there is none."""
        ...

    def restore(self, snapshot_id: str, identifier: str, parameters: Mapping[str, str]) -> str:
        """Start a new server from a snapshot's data; give its loopback IPv4 address."""
        ...

    def stop(self, identifier: str) -> None:
        """Stop a server and keep its data and address."""
        ...

    def start(self, identifier: str) -> None:
        """Start a stopped server again; a running one is left alone."""
        ...

    def reboot(self, identifier: str, parameters: Mapping[str, str]) -> None:
        """Restart a server with these parameters."""
        ...

    def rename(self, identifier: str, new_identifier: str) -> None:
        """Give a server another identifier; its address stays."""
        ...

    def set_password(self, identifier: str, password: str) -> None:
        """Change the master user's password."""
        ...

    def delete(self, identifier: str) -> None:
        """Stop a server and remove its data; nothing happens when there is none."""
        ...

    def addresses(self) -> Mapping[str, str]:
        """Identifier -> loopback IPv4 address, of every server that exists."""
        ...

    def refusal(self, name: str, value: str) -> str | None:
        """Why no parameter group may hold this parameter; None when one may."""
        ...

    def log(self, identifier: str) -> Path:
        """The server's own log file; it exists once the server has written a line."""
        ...

    def certificate(self) -> Path | None:
        """The file of certificates that clients verify the servers with; None: they speak no TLS."""
        ...

    def version(self) -> str:
        """The servers' PostgreSQL version, such as '15.18'."""
        ...

    def close(self) -> None:
        """Stop every server; idempotent."""
        ...


class Closeable(Protocol):
    """A server or process of the sandbox that can be stopped."""

    def close(self) -> None:
        """Stop it and wait until it is gone; idempotent."""
        ...


class Canary(Closeable, Protocol):
    """The write canary: clients of the database that notice every lost or doubled write."""

    def report(self) -> Mapping[str, Any]:
        """A JSON object with at least attempted, acknowledged, lost, doubled, longest_pause_seconds, writers."""
        ...


# The data half's entry points, by name (each in the module that is named first):
#
#   fleet.open_fleet(folder: Path, endpoints: Callable[[str], tuple[str, ...]]) -> Fleet
#       `folder` is the fleet's own; whatever it keeps (data directories, pid files, logs) lies below it.
#       `endpoints` gives the host names of an instance, for its certificate.
#   fleet.sweep(folder: Path) -> int
#       Kill what a dead daemon left running below `folder` (by its own pid files and data directories); how many.
#   dns_server.serve(host: str, port: int, lookup: Lookup) -> Closeable
#       UDP and TCP, in threads of this process; SandboxError when the port is taken.
#   seed.load(login: Login, size_mb: int, progress: Progress) -> None
#       Fill an empty database; also the tables that the canary writes to.
#   canary.start(settings: CanarySettings) -> Canary
#       A process of its own; gets the password through a pipe, never through argv or its environment.
