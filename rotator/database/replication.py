"""Values of replication between blue and green, as the steps see them. No driver here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.database.position import Position


@dataclass(frozen=True)
class Opened:
    """What stands on the source: databases whose log is kept, tables carried, and those that were strengthened."""

    databases: tuple[str, ...]
    tables: int
    strengthened: tuple[str, ...]


@dataclass(frozen=True)
class Retention:
    """What the source keeps of its log for one database of the channel: `retained` bytes.

    `active`: the target reads it at this moment; `lost`: what the target still needs is gone, it can never go on.
    """

    name: str
    database: str
    active: bool
    retained: int
    lost: bool


@dataclass(frozen=True)
class Storage:
    """Bytes that the source's databases and its log take."""

    data: int
    log: int


@dataclass(frozen=True)
class Lag:
    """How far the target is behind: bytes of log, and seconds by a heartbeat (None: none has arrived yet).

    `stopped` names what is switched off, or switched on and without a worker at this moment.
    """

    bytes: int
    seconds: float | None
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worker:
    """What applies one database's changes on the target: is it there, switched on, and at work right now.

    Switched on and not running: its connection is lost, or a change cannot be applied; it is tried again by itself.
    """

    name: str
    there: bool
    enabled: bool
    running: bool


@dataclass(frozen=True)
class Budgets:
    """Seconds for each part of the window. Over one of them the window is given up and blue takes writes again.

    `calm`: how long to wait beforehand for a moment without long transactions; `grace`: how long those still open may
    go on after the fence before they are ended (0: at once); `overdue`: those that have been open for longer by
    then are ended at once, for few of them would end within the grace. `headroom`: numbers that counters skip.
    """

    calm: float = 20.0
    grace: float = 0.1
    overdue: float = 0.4
    fence: float = 2.0
    drain: float = 3.0
    recheck: float = 1.0
    counters: float = 1.0
    headroom: int = 1000

    @property
    def lease(self) -> float:
        """Seconds after which the fence opens by itself when the driver has died before it was sealed."""
        return self.fence + self.drain + self.recheck + self.counters + 5.0


@dataclass(frozen=True)
class Passed:
    """A window that was passed: the source is sealed, the target holds all that the source has, and takes writes.

    `parts` in seconds by name; `began` the monotonic time at which the last commit on the source was possible;
    `cut_off` the sessions that were ended because they still had a transaction open; `counters` how many moved; `back`
    where the reverse replication begins, by database (empty where the channel leaves out what came from the source);
    `set_back` counters that the source was set back with since the snapshot, which the target has followed;
    `imprint` the source's as it was sealed (see `Channel.imprint`).
    """

    began: float
    parts: Mapping[str, float]
    cut_off: tuple[str, ...]
    counters: int
    back: Mapping[str, Position] = field(default_factory=dict)
    set_back: tuple[str, ...] = ()
    imprint: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """What the online verification found; `unsettled` chunks (JSON objects) were in flux: the fence compares them.

    `unsettled` has keys of rows as its bounds, `by_key` in words: neither may be kept where others read it.
    `refreshed` and `stale`: materialized views that differed, and have been, or could not be, refreshed on the target.
    `digests`: table -> {"rows", "digest", "chunks", "retried", "hot"}.
    """

    digests: Mapping[str, Mapping[str, Any]]
    unsettled: tuple[Mapping[str, Any], ...]
    differences: tuple[str, ...]
    by_key: tuple[str, ...] = field(default=())
    refreshed: tuple[str, ...] = field(default=())
    stale: tuple[str, ...] = field(default=())

    @property
    def rows(self) -> int:
        """Rows compared in all."""
        return sum(int(each["rows"]) for each in self.digests.values())
