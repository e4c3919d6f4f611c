"""What the steps need of a database server. One file per engine family implements it; drivers live in this room alone.

A server here is a whole RDS instance: every method covers all of its application databases, not one of them.
All methods raise DatabaseError, or DatabaseUnreachable when no connection can be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rotator.database.channel import Channel
from rotator.database.protection import Encryption
from rotator.domain.database import CounterState, EndedClients, FenceState, Finding, Table, TableDigest, WriteStats
from rotator.domain.progress import Progress


@dataclass(frozen=True)
class Target:
    """Where and how to connect. `host` is the name (TLS is verified against it), `address` an IP that overrides DNS.

    `link_sslmode` is what a subscription asks for that connects here; None: the same. The password is kept out of repr,
    so that no log or crash file can show it.
    """

    host: str
    port: int
    user: str
    database: str
    address: str | None = None
    password: str | None = field(default=None, repr=False)
    sslmode: str = "verify-full"
    sslrootcert: str | None = None
    link_sslmode: str | None = None


class DatabaseServer(Protocol):
    """One server, reached at one Target. Connections are opened per call and closed after it."""

    def ping(self) -> str:
        """Connect as the application would; give the server's version, such as '15.18'."""
        ...

    def encryption(self) -> Encryption:
        """How the tool's own sessions with it are protected, by the server's account."""
        ...

    def preflight(self) -> tuple[Finding, ...]:
        """What would make a fence, a snapshot or a comparison fail or lose data on this server."""
        ...

    def preflight_replicate(self, rotation_id: str, *, strengthen: bool, headroom: int) -> tuple[Finding, ...]:
        """What would make strategy `replicate` fail or lose data; `strengthen`: see Channel.open.

        `headroom`: numbers that counters skip at the flip.
        """
        ...

    def schema(self) -> Mapping[str, str]:
        """Every object from the catalogs -> its definition's digest ('table orders.shop.item' -> '9f3c...').

        Leaves out what the tool itself made (the schema `rotator`, fence triggers).
        """
        ...

    def tables(self) -> tuple[Table, ...]:
        """All tables with contents, the tool's own left out."""
        ...

    def checksum(self, table: Table, progress: Progress) -> TableDigest:
        """Count and digest of one table in one pass on the server, chunked."""
        ...

    def counters(self) -> Mapping[str, CounterState]:
        """Sequences, auto-increment columns: 'database.schema.name' -> position."""
        ...

    def raise_counters(self, positions: Mapping[str, CounterState]) -> tuple[str, ...]:
        """Move counters that are behind `positions` up to them, never back; which ones were moved."""
        ...

    def static_settings(self) -> Mapping[str, tuple[str, bool]]:
        """Settings that count from the start of the server: name -> value it runs with, whether another waits."""
        ...

    def extensions(self) -> Mapping[str, str]:
        """'database.extension' -> version."""
        ...

    def fence(self, rotation_id: str, budget_seconds: float) -> FenceState:
        """Stop all writes, within the budget or not at all; idempotent.

        Afterwards no transaction that wrote can commit. Also writes the marker (schema `rotator`), which tells this
        lineage of data by rotation_id.
        """
        ...

    def fence_state(self) -> FenceState:
        """What a look at the catalogs says of the fence now."""
        ...

    def unfence(self, *, busy: bool = False) -> None:
        """Let writes through again; idempotent; leaves nothing of the fence behind.

        `busy`: clients are at work, so cleaning up makes them wait for milliseconds at most, and may leave idle rests.
        """
        ...

    def mark(self, role: str) -> None:
        """Write `role` ('blue', 'green') to the tool's marker, past the fence, so that a client can tell."""
        ...

    def probe(self, token: str) -> tuple[str | None, bool]:
        """Write `token` as an ordinary client; give (marker's role on that connection, was the write accepted)."""
        ...

    def has_probe(self, token: str) -> bool:
        """Whether a probe's token is on this server."""
        ...

    def end_clients(self) -> EndedClients:
        """Terminate the application's connections (not ours, not the service's), and wait some seconds until they are
        gone; how many went, and how many are left.
        """
        ...

    def write_stats(self) -> WriteStats:
        """Writes since the server's statistics began (for green: since it was restored)."""
        ...

    def forget(self, *, waits: int = 1) -> None:
        """Lift the fence and remove the tool's own schema `rotator`, while clients are at work; idempotent.

        `waits`: how many times longer than usual (milliseconds) they may be made to wait, after it was tried in vain.
        Raises DatabaseError 'fence-leftovers'.
        """
        ...


class DatabaseOpener(Protocol):
    """Opens servers of this env: the one at an instance's own endpoint, or the one behind the applications' name."""

    def at(self, host: str, port: int, *, address: str | None = None) -> DatabaseServer:
        """Server at `host`; `address` overrides DNS, else the env's resolver is asked."""
        ...

    def speaks(self, engine: str) -> bool:
        """Whether there is an engine of the tool's for RDS's engine of that name. Asks nobody."""
        ...

    def doubts(self, authority: str | None) -> tuple[str, ...]:
        """What is doubtful in the certificates that servers are verified with, in words.

        `authority`: CACertificateIdentifier of an instance. Raises ConfigError.
        """
        ...

    def through(self, name: str, host: str, port: int) -> DatabaseServer:
        """Server at the address to which `name` leads, which must prove by its certificate that it is `host`."""
        ...

    def channel(
        self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False
    ) -> Channel:
        """One direction of a rotation's replication; source and target as (host, port)."""
        ...
