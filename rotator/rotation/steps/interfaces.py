"""What a step is handed beside AWS and databases, as interfaces: the clock, the stages of the root, the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Literal, Protocol

from rotator.domain.progress import Progress
from rotator.domain.root import RootData, Stage
from rotator.journal.results import R


class Clock(Protocol):
    """Time, injected, so that tests need not wait."""

    def now(self) -> datetime:
        """Now, in UTC, aware."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        ...

    @property
    def waited(self) -> float:
        """Seconds spent in `wait` so far."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass between two looks at the world."""
        ...


class Stages(Protocol):
    """Applies stages of the env root through the plan firewall."""

    def apply(
        self, stage: Stage, before: RootData, after: RootData, write: Callable[[RootData], None], progress: Progress
    ) -> bool:
        """One plan, review and apply; False when there was nothing to do."""
        ...

    def apply_through_gate(
        self,
        stage: Stage,
        before: RootData,
        after: RootData,
        write: Callable[[RootData], None],
        progress: Progress,
        decide: Callable[[], Literal[True]],
    ) -> bool:
        """As apply; the record changes only after `decide`, inside the apply, has returned. It raises why not."""
        ...

    def untaint(self, address: str) -> None:
        """Take the mark of a half-made resource off an address of the state; nothing happens when it has none."""
        ...

    def forget(self, address: str) -> None:
        """Take an address out of the state; what it stands for stays as it is. Nothing happens when it is not there."""
        ...

    def settle(self) -> None:
        """Return once no apply of an earlier run is at work on the state. Raises TerraformStateLocked."""
        ...

    def check_clean(self) -> None:
        """Raise Blocked unless the plan of the root is empty."""
        ...

    def differing(self) -> tuple[str, ...]:
        """Files of the root that take its data and are not as this version renders them."""
        ...

    def version(self) -> str:
        """Terraform's version."""
        ...

    def state_addresses(self) -> frozenset[str]:
        """Resource addresses in the state."""
        ...


class Memory(Protocol):
    """The part of the journal that steps may use."""

    def renew(self) -> None:
        """Right before what cannot be undone: raises LockedError when another run may hold the env by now."""
        ...

    def root(self) -> RootData | None:
        """The root's data as last applied."""
        ...

    def pending(self) -> RootData | None:
        """The data of a stage that a killed run was applying; None when none was."""
        ...

    def is_done(self, step: str) -> bool:
        """Whether the step has finished."""
        ...

    def began(self, step: str) -> bool:
        """Whether the step's intent was ever recorded; that comes before anything is made."""
        ...

    def stage(self, data: RootData) -> None:
        """Write the data of a stage about to be applied: the journal first, then the file that Terraform reads."""
        ...

    def unstage(self) -> None:
        """Nothing of the staged data was applied: forget it."""
        ...

    def commit(self) -> None:
        """The staged data has been applied."""
        ...

    def write_root(self, data: RootData) -> None:
        """Write data that needs no apply (the plan is clean with it)."""
        ...

    def let_go(self, keys: Collection[str]) -> None:
        """Drop further records that the state no longer holds from the root's data, and from a pending stage's."""
        ...

    def result(self, kind: type[R]) -> R:
        """What the step of that kind has recorded so far in this rotation."""
        ...

    def keep(self, word: str, value: Any) -> None:
        """Keep JSON that may hold values of rows: on this machine, for this user alone; it may be lost."""
        ...

    def kept(self, word: str) -> Any:
        """What was kept under that word for this rotation; None when it is not there."""
        ...

    def note(self, kind: type[R], change: Callable[[R], R]) -> None:
        """Change what the step of that kind has recorded, at once, so that it survives a kill."""
        ...
