"""What the steps need of replication between blue and green: the interface, and what it speaks of. No driver here.

A `Link` is one direction of one rotation: changes flow from its source to its target. Positions are places in the
source's log (LSN) as whole numbers; `lsn_text` gives the form that PostgreSQL and people use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Opened:
    """What stands on the source: databases with a slot, tables published, and those whose identity was set to FULL."""

    databases: tuple[str, ...]
    tables: int
    full: tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """One slot of the link on its source. `retained` bytes of log are kept for it; `lost`: it can never go on."""

    name: str
    database: str
    active: bool
    confirmed: int
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

    `stopped` names subscriptions that are disabled, or enabled and without a worker at this moment.
    """

    bytes: int
    seconds: float | None
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worker:
    """One database's subscription on the target: is it there, switched on, and is somebody applying right now.

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
    go on after the fence before they are ended (0: at once). `headroom`: numbers that sequences skip.
    """

    calm: float = 20.0
    grace: float = 0.15
    fence: float = 2.0
    drain: float = 3.0
    recheck: float = 1.0
    sequences: float = 1.0
    headroom: int = 1000

    @property
    def lease(self) -> float:
        """Seconds after which the fence opens by itself when the driver has died before it was sealed."""
        return self.fence + self.drain + self.recheck + self.sequences + 5.0


@dataclass(frozen=True)
class Passed:
    """A window that was passed: the source is sealed, the target holds all that the source has, and takes writes.

    `parts` in seconds by name; `began` the monotonic time at which the last commit on the source was possible;
    `cut_off` the sessions that were ended because they still had a transaction open; `sequences` how many moved; `back`
    where the way back begins, by database (empty where the subscription itself leaves out what came from the source);
    `set_back` sequences that the source was set back with since the snapshot, which the target has followed;
    `imprint` the source's as it was sealed (see `Link.imprint`).
    """

    began: float
    parts: Mapping[str, float]
    cut_off: tuple[str, ...]
    sequences: int
    back: Mapping[str, int] = field(default_factory=dict)
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
