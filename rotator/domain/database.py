"""What a database says: tables, sequences, its fence, findings of preflight."""

from __future__ import annotations

from dataclasses import dataclass, field

from rotator.domain.qualified import qualified


@dataclass(frozen=True, order=True)
class Table:
    """A table with storage of its own (ordinary or partition leaf). `estimated_rows` from the statistics, >= 0.

    `unlogged`: not in the server's log, so it is empty after a crash or a restore.
    """

    database: str
    schema: str
    name: str
    estimated_rows: int = 0
    size_bytes: int = 0
    unlogged: bool = False

    def __str__(self) -> str:
        return qualified(self.database, self.schema, self.name)


@dataclass(frozen=True)
class TableDigest:
    """Row count and a digest of the whole contents of one table; equal digests mean equal contents."""

    rows: int
    digest: str


@dataclass(frozen=True)
class CounterState:
    """A counter's position (a sequence, an auto-increment column); the sign of `increment` tells which way is ahead.

    `slack`: so many steps it may be ahead of what was given out, by a crash or a session that took several at once.
    """

    last_value: int
    is_called: bool
    increment: int = 1
    slack: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Finding:
    """One preflight finding: what it is, what would be lost or fail, what to do. `blocks` stops the rotation."""

    code: str
    what: str
    why: str
    fix: str
    blocks: bool


@dataclass(frozen=True)
class EndedClients:
    """How many connections of clients were ended, and how many of those that were there are there still: those that we
    may not end, and those that had not gone in time.
    """

    ended: int
    left: int = 0


@dataclass(frozen=True)
class FenceState:
    """`on` is True only when every table of every database refuses writes; `open_tables` are those that do not.

    `leased`: somewhere it is a window's fence, which opens by itself when its driver does not seal it.
    `rotation_id` is the marker's, a rotation's identity: whose fence it is, or (after it was lifted) was last; None
    without a marker.
    """

    on: bool
    rotation_id: str | None
    fenced_tables: int
    open_tables: tuple[str, ...] = ()
    leased: bool = False

    @property
    def sealed(self) -> bool:
        """Whether every table refuses writes until somebody opens it again."""
        return self.on and not self.leased


@dataclass(frozen=True)
class WriteStats:
    """Writes a server has seen since it started counting; `tables` (database.schema.table) are those written to."""

    inserted: int
    updated: int
    deleted: int
    tables: tuple[str, ...]
