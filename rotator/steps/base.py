"""What a step is, and what it is handed. Imports no SDK: steps see AWS, Terraform and databases as interfaces only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol

from rotator.aws.interface import Dns, Identity, KeyUses, Kms, Rds
from rotator.config import Env
from rotator.database.interface import DatabaseOpener
from rotator.errors import journal_behind
from rotator.model import RootData, Rotation, Stage
from rotator.network.interface import Resolver
from rotator.results import R, Result

Progress = Callable[[float | None, str], None]
"""Called with a fraction 0..1 (None: unknown) and a short text."""


class Kind(StrEnum):
    """What a look at the world says of a step."""

    ABSENT = "absent"
    IN_PROGRESS = "in-progress"
    SATISFIED = "satisfied"
    CONFLICT = "conflict"
    SKIPPED = "skipped"
    NEEDS_APPROVAL = "needs-approval"


@dataclass(frozen=True)
class Observation:
    """One look at the world. `fraction` 0..1 while in progress; `reason` and `fix` for conflicts, skips and gates.

    `result`: all that the step shall have recorded; None where that is what it has noted already.
    """

    kind: Kind
    reason: str = ""
    fix: str = ""
    detail: str = ""
    fraction: float | None = None
    result: Result | None = None
    details: tuple[str, ...] = ()


def absent(detail: str = "") -> Observation:
    """Nothing of the step is there yet."""
    return Observation(Kind.ABSENT, detail=detail)


def satisfied(result: Result | None = None) -> Observation:
    """What the step is to bring about stands in the world."""
    return Observation(Kind.SATISFIED, result=result)


def in_progress(detail: str, fraction: float | None = None) -> Observation:
    """AWS is at work."""
    return Observation(Kind.IN_PROGRESS, detail=detail, fraction=fraction)


def conflict(reason: str, fix: str, details: tuple[str, ...] = ()) -> Observation:
    """The world contradicts what the step may find; a person must look."""
    return Observation(Kind.CONFLICT, reason=reason, fix=fix, details=details)


def skipped(reason: str, result: Result | None = None) -> Observation:
    """The step cannot or need not be done here; never to be read as passed."""
    return Observation(Kind.SKIPPED, reason=reason, result=result)


def needs_approval(reason: str, fix: str) -> Observation:
    """The rotation waits at a gate for a person."""
    return Observation(Kind.NEEDS_APPROVAL, reason=reason, fix=fix)


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
        decide: Callable[[], bool],
    ) -> bool:
        """As apply; the record changes only after `decide` (called inside the apply) has returned True."""
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


@dataclass(frozen=True)
class Options:
    """What the user said on the command line."""

    approvals: frozenset[str] = frozenset()
    delete_snapshots: bool = False
    no_wait: bool = False
    lose_writes: bool = False
    taking_back: bool = False
    """A rollback: rotate is refused until it has ended, so no advice may name it."""


class Memory(Protocol):
    """The part of the journal that steps may use."""

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


@dataclass(frozen=True)
class Context:
    """All that a step is handed. `databases` is None where the tool may not connect (database.access = "none")."""

    env: Env
    rotation: Rotation
    memory: Memory
    rds: Rds
    kms: Kms
    key_uses: KeyUses
    dns: Dns
    identity: Identity
    resolver: Resolver
    databases: DatabaseOpener | None
    stages: Stages
    clock: Clock
    options: Options
    progress: Progress

    @property
    def data(self) -> RootData:
        """The root's data; only for steps after adopt."""
        root = self.memory.root()
        if root is None:
            raise LookupError("the root has no data before the adopt step")
        return root

    def apply(self, stage: Stage, after: RootData) -> bool:
        """Apply one stage of the root, from the data as it is to `after`."""
        changed = self.stages.apply(stage, self.data, after, self.memory.stage, self.progress)
        self.memory.commit()
        return changed

    def apply_through_gate(self, stage: Stage, after: RootData, decide: Callable[[], bool]) -> bool:
        """Apply a stage whose flip waits for `decide` inside the apply."""
        changed = self.stages.apply_through_gate(stage, self.data, after, self.memory.stage, self.progress, decide)
        self.memory.commit()
        return changed

    def midway(self, step: str) -> bool:
        """Whether a killed run was applying this step's stage: it must go through the plan again, whatever the world
        shows.
        """
        return self.memory.pending() is not None and not self.memory.is_done(step)

    def refuse_unheard_of(self, step: str, thing: str) -> None:
        """Raise Blocked when our own thing is there although its step was never begun: the intent comes first."""
        if not self.memory.began(step):
            raise journal_behind(f"{thing} exists, and step {step} was never begun in it.")

    def take_in(self, stage: Stage, after: RootData) -> None:
        """Import what a killed run made and Terraform's state does not hold; `after` carries the imports."""
        self.apply(stage, after)


class Step(ABC, Generic[R]):
    """One unit of a rotation: observe, act, verify, undo.

    `rechecked_until` names the step from whose completion on this one is no longer looked at again on a resume (its
    own name: never again; None: always). `commits` marks a point of no return: what cannot be had back from then on, in
    words; empty where everything can. `records` is its result's kind. `estimate_seconds`: of a small database.
    """

    name: str
    title: str
    records: type[R] = Result  # type: ignore[assignment]  # of steps that record nothing
    commits: str = ""
    rechecked_until: str | None = None
    estimate_seconds: float = 5.0

    @property
    def reversible(self) -> bool:
        """Whether nothing is lost for good by it."""
        return not self.commits

    @abstractmethod
    def observe(self, ctx: Context) -> Observation:
        """Look at the world; change nothing."""

    def act(self, ctx: Context) -> None:
        """Start (or do) the work; called only when observe said absent. Raises RotatorError."""
        raise NotImplementedError(f"step {self.name} has nothing to do by itself")

    def verify(self, ctx: Context, result: R) -> R:
        """Prove the result; give what the journal shall keep. Raises Blocked when the proof fails."""
        return result

    def undo(self, ctx: Context) -> str:
        """Take back what the step did; idempotent; what was done, in words (empty: nothing)."""
        return ""

    def words(self, result: R) -> str:
        """The result in one line, for people."""
        return ""

    def warnings(self, result: R) -> tuple[str, ...]:
        """What people should know now that the step is done, a line each; the closing summary repeats it."""
        return ()


AnyStep = Step[Any]
"""Whatever it records."""
