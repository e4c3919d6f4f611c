"""What the steps need of replication between blue and green: the interface, and what it speaks of. No driver here.

A `Link` is one direction of one rotation: changes flow from its source to its target. Positions are places in the
source's log (LSN) as whole numbers; `lsn_text` gives the form that PostgreSQL and people use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from rotator.database.protection import Encryption
from rotator.database.seed import Bracket, Seed

Progress = Callable[[float, str], None]
"""Called with a fraction 0..1 and a short text."""


def lsn(text: str) -> int:
    """'16/B374D848' -> its number (PostgreSQL, pg_lsn Type). Raises ValueError."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(position: int) -> str:
    """A position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


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
    """What the online verification found; `hot` chunks (JSON objects) were in flux and are compared inside the fence.

    `hot` has keys of rows as its bounds, `by_key` in words: neither may be kept where others read it.
    `refreshed` and `stale`: materialized views that differed, and have been, or could not be, refreshed on the target.
    `digests`: table -> {"rows", "digest", "chunks", "retried", "hot"}.
    """

    digests: Mapping[str, Mapping[str, Any]]
    hot: tuple[Mapping[str, Any], ...]
    differences: tuple[str, ...]
    by_key: tuple[str, ...] = field(default=())
    refreshed: tuple[str, ...] = field(default=())
    stale: tuple[str, ...] = field(default=())

    @property
    def rows(self) -> int:
        """Rows compared in all."""
        return sum(int(each["rows"]) for each in self.digests.values())


class Window(Protocol):
    """The moment in which the source stops and the target takes over. Use as a context manager.

    Leaving it without having passed it lifts the source's fence, after shutting the target again.
    """

    @property
    def opening(self) -> bool:
        """Whether the target may have been opened, and not been shut again."""
        ...

    def __enter__(self) -> Window: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def prepare(self, progress: Progress, check: Callable[[], None]) -> None:
        """All that needs no pause: connections, idle triggers, `check`, waiting for a calm moment. Raises.

        What `check` finds unchanged stays so until the flip, or `run` raises.
        """
        ...

    def run(self) -> Passed:
        """Fence, drain, recheck, sequences, seal, open the target. Raises DatabaseError when over a budget."""
        ...


class Link(Protocol):
    """One direction of one rotation. Methods raise DatabaseError; all that make or remove something are idempotent."""

    # --- the source ---
    def bare(self) -> Mapping[str, str]:
        """'database.schema.table' -> its setting, of tables without a usable replica identity."""
        ...

    def open(self, *, allow_full: bool, progress: Progress) -> Opened:
        """Login, sentinel tables, DDL record, publications, then slots, then the sentinel that says so."""
        ...

    def open_slots(self) -> None:
        """Slots alone: on green, which has the publications from the snapshot, for the way back."""
        ...

    def mark(self, kind: str) -> int:
        """Write the sentinel `kind` in every database; the source's flushed position after it."""
        ...

    def slots(self) -> tuple[Slot, ...]: ...
    def flushed(self) -> int: ...
    def storage(self) -> Storage: ...

    def ddl(self) -> tuple[str, ...]:
        """DDL that was recorded since `open`, in words."""
        ...

    def unpublished(self) -> tuple[str, ...]:
        """Tables of the source that are not replicated: made, or dropped and made again, since `open`."""
        ...

    def encryption(self) -> Encryption | None:
        """Of the connections that carry the rows, the weakest; None while there is none. By the source's account."""
        ...

    def feeds(self) -> tuple[str, ...]:
        """Enabled subscriptions of others on the source: a copy of them on green would take their changes away."""
        ...

    def close_slots(self) -> tuple[str, ...]:
        """Remove the slots; words."""
        ...

    def close(self, full: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Remove all that `open` made, put back the identity of the tables in `full` (see `bare`); words."""
        ...

    # --- the target ---
    def quarantine(self, budget_seconds: float) -> tuple[str, ...]:
        """Make a freshly restored target harmless: foreign subscriptions, slots, jobs; and fence it. Words."""
        ...

    def seed(self, log: Iterable[str], bracket: Bracket) -> Seed:
        """Where the target's data ends: `log` are the lines of its first start."""
        ...

    def subscribe(self, seed: int | Mapping[str, int] | None) -> None:
        """Subscriptions on the target, not enabled; origin at `seed`, for all or by database (None: the slots')."""
        ...

    def enable(self) -> None: ...
    def unsubscribe(self) -> None: ...

    def disable(self) -> None:
        """Stop applying; the place is kept."""
        ...

    def resume(self) -> tuple[str, ...]:
        """Switch on again what an error, or somebody, has switched off; words."""
        ...

    def workers(self) -> tuple[Worker, ...]:
        """The subscriptions as they stand."""
        ...

    def apply_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        """What the target's log says of changes that could not be applied, in the last attempts."""
        ...

    def apply_keys(self, log: Iterable[str]) -> tuple[str, ...]:
        """The keys of the rows that these changes are of: for a person at a terminal alone."""
        ...

    def connection_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        """What it says of connections to the source that were lost, or could not be had."""
        ...

    def subscribed(self) -> bool:
        """Whether every database has its subscription, enabled."""
        ...

    # --- both ---
    def lag(self) -> Lag: ...

    def catch_up(self, seconds: float) -> None:
        """Return once the target has applied all that the source had committed at the call. Raises when too late."""
        ...

    def verify(self, progress: Progress) -> Verified:
        """Compare the contents of all tables while both run."""
        ...

    def verify_again(self, hot: Sequence[Mapping[str, Any]], progress: Progress) -> Verified:
        """Compare again what was in flux; what is still so, is `hot` of the result. Its digests are of these alone."""
        ...

    def shut(self, budget_seconds: float) -> None:
        """Fence the target, and wait for whoever has a transaction open; it stays shut in any case."""
        ...

    def imprint(self) -> Mapping[str, Any]:
        """What the target's catalogs show: as long as it is the same, nobody has written past the fence there."""
        ...

    def touched(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        """How the target's imprint differs from that one, in words; empty when it does not."""
        ...

    def window(
        self,
        budgets: Budgets,
        hot: Sequence[Mapping[str, Any]],
        *,
        back_slots: bool,
        imprint: Mapping[str, Any] | None = None,
    ) -> Window:
        """The cutover's window. `back_slots`: the target's slots for the way back begin where the window ends.

        `imprint`: the target's when it was compared; another one gives the window up ('target-touched').
        """
        ...
