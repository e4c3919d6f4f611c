"""What the steps need of replication between blue and green: the interface. Its values are in replication.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from rotator.database.position import Position
from rotator.database.protection import Encryption
from rotator.database.replication import Budgets, Lag, Opened, Passed, Retention, Storage, Verified, Worker
from rotator.database.seed import Bracket, Seed
from rotator.domain.progress import Progress


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
        """Fence, drain, recheck, counters, seal, open the target. Raises DatabaseError when over a budget."""
        ...


class Channel(Protocol):
    """One direction of one rotation. Methods raise DatabaseError; all that make or remove something are idempotent.

    Nothing here is a word of one engine: what is kept of the source's log are slots with PostgreSQL and hours of binary
    log with MySQL, a weak table has no replica identity or no primary key. Positions are opaque (position.py).
    """

    # --- the source ---
    def weak_tables(self) -> Mapping[str, str]:
        """'database.schema.table' -> its setting, of tables whose rows the channel could not tell apart as they are."""
        ...

    def open(self, *, strengthen: bool, progress: Progress) -> Opened:
        """All that the source needs to feed the channel, and at last the sentinel that says so.

        `strengthen`: weak tables may be given what tells their rows apart, until `close`.
        """
        ...

    def retain(self) -> None:
        """Keep the log from here on, and no more: for the reverse replication, on green, which has the rest already."""
        ...

    def mark(self, kind: str) -> Position:
        """Write the sentinel `kind` in every database; the source's durable position after it."""
        ...

    def retention(self) -> tuple[Retention, ...]:
        """What the source keeps for the channel, by database; empty when nothing is kept."""
        ...

    def position(self) -> Position:
        """Up to where the source's changes are durable."""
        ...

    def covers(self, position: Position, other: Position) -> bool:
        """Whether what is up to `position` holds all that is up to `other`. Raises ValueError for another engine's."""
        ...

    def storage(self) -> Storage: ...

    def ddl(self) -> tuple[str, ...]:
        """DDL that was recorded since `open`, in words."""
        ...

    def not_carried(self) -> tuple[str, ...]:
        """Tables of the source that the channel leaves out: made, or dropped and made again, since `open`."""
        ...

    def encryption(self) -> Encryption | None:
        """Of the connections that carry the rows, the weakest; None while there is none. By the source's account."""
        ...

    def foreign_channels(self) -> tuple[str, ...]:
        """Channels of others that are at work on the source: a copy of them on green would take their changes away."""
        ...

    def release(self) -> tuple[str, ...]:
        """Stop keeping the log; words."""
        ...

    def close(self, full: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Remove all that `open` made, put back the tables in `full` as they were (`without_identity`); words."""
        ...

    # --- the target ---
    def quarantine(self, budget_seconds: float) -> tuple[str, ...]:
        """Make a freshly restored target harmless, and fence it; what was removed, in words.

        A copy of blue has all that works by itself: channels of others, what they keep, scheduled jobs, events.
        """
        ...

    def seed(self, log: Iterable[str], bracket: Bracket) -> Seed:
        """Where the target's data ends: `log` are the lines of its first start."""
        ...

    def attach(self, seed: Position | Mapping[str, Position] | None) -> None:
        """Make the target ready to apply, from `seed` on, for all or by database (None: from where the log is kept)."""
        ...

    def start(self) -> None:
        """Apply."""
        ...

    def detach(self) -> None:
        """Remove what `attach` made."""
        ...

    def stop(self) -> None:
        """Stop applying; the place is kept."""
        ...

    def resume(self) -> tuple[str, ...]:
        """Switch on again what an error, or somebody, has switched off; words."""
        ...

    def workers(self) -> tuple[Worker, ...]:
        """What applies on the target, by database."""
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

    def attached(self) -> bool:
        """Whether every database is attached and switched on."""
        ...

    # --- both ---
    def lag(self) -> Lag: ...

    def catch_up(self, seconds: float) -> None:
        """Return once the target has applied all that the source had committed at the call. Raises when too late."""
        ...

    def verify(self, progress: Progress) -> Verified:
        """Compare the contents of all tables while both run."""
        ...

    def verify_again(self, unsettled: Sequence[Mapping[str, Any]], progress: Progress) -> Verified:
        """Compare again what was in flux; what still is, is in `unsettled`. Its digests are of these alone."""
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
        unsettled: Sequence[Mapping[str, Any]],
        *,
        retain_back: bool,
        imprint: Mapping[str, Any] | None = None,
    ) -> Window:
        """The cutover's window. `retain_back`: the target keeps its log from where the window ends, to replicate back.

        `imprint`: the target's when it was compared; another one gives the window up ('target-touched').
        """
        ...
