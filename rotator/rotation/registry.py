"""The runbook: one row for each step, in the order in which they run.

What rotate, retire and rollback do, the plan's list, and its forecast all come from these rows. A new step is a class,
a row here, a section of docs/runbook.md and a test (CONTRIBUTING.md). What a step takes, and whether it is a point of
no return, are its own (`Step.estimate_seconds`, `Step.commits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from rotator.domain.root import Stage
from rotator.domain.rotation import Strategy
from rotator.rotation.steps.copy.catchup import CatchUp
from rotator.rotation.steps.copy.green import Green
from rotator.rotation.steps.copy.open import Open
from rotator.rotation.steps.copy.parity import Parity
from rotator.rotation.steps.copy.seeding import FindSeed, MarkedSnapshot
from rotator.rotation.steps.copy.snapshots import Reencrypt, TakeSnapshot
from rotator.rotation.steps.copy.validate import Validate
from rotator.rotation.steps.copy.verify import VerifyOnline
from rotator.rotation.steps.cutover.cutover import Cutover, Ungate
from rotator.rotation.steps.cutover.fence import Fence
from rotator.rotation.steps.cutover.soak import Soak
from rotator.rotation.steps.cutover.switch import Switch
from rotator.rotation.steps.prepare.adopt import Adopt
from rotator.rotation.steps.prepare.key import LowerTtl, NewKey
from rotator.rotation.steps.prepare.preflight import Preflight
from rotator.rotation.steps.retire.cleanup import CleanUp
from rotator.rotation.steps.retire.restore_ttl import RestoreTtl
from rotator.rotation.steps.retire.retire import FinalReencrypt, FinalSnapshot, RetireCheck, RetireDatabase, Unprotect
from rotator.rotation.steps.retire.retire_key import DisableKey, RetireKey, RetireSnapshots
from rotator.rotation.steps.reverse.reverse_replication import CloseWayBack, ReverseReplication
from rotator.rotation.steps.step import AnyStep


class Part(Enum):
    """The part of the runbook that a step belongs to."""

    ROTATE = "rotate"
    RETIRE = "retire"
    RETIRE_KEY = "retire-key"
    """Of retire, and all that is left of it once blue is gone."""
    AFTER_ROLLBACK = "after-rollback"


class Back(IntEnum):
    """When a rollback takes a step back; in one group the step that ran last goes first."""

    NAME = 1
    """First of all: where the name leads."""
    WRITES = 2
    """What keeps or holds up blue's writes: before anything that can wait."""
    MADE = 3
    """What the rotation made."""


@dataclass(frozen=True)
class Row:
    """One step's place. `stage` is the stage of the root that it applies; `only` the one strategy that has it."""

    part: Part
    step: AnyStep
    stage: Stage | None = None
    only: Strategy | None = None
    back: Back | None = None

    def of(self, strategy: Strategy) -> bool:
        """Whether a rotation with that strategy has the step; an undecided one is shown as snapshot."""
        known = Strategy.REPLICATE if strategy is Strategy.REPLICATE else Strategy.SNAPSHOT
        return self.only in (None, known)


_SNAPSHOT, _REPLICATE = Strategy.SNAPSHOT, Strategy.REPLICATE

ROWS: tuple[Row, ...] = (
    Row(Part.ROTATE, Preflight()),
    Row(Part.ROTATE, Adopt(), Stage.ADOPT),
    Row(Part.ROTATE, LowerTtl(), Stage.LOWER_TTL, back=Back.MADE),
    Row(Part.ROTATE, NewKey(), Stage.KEY, back=Back.MADE),
    Row(Part.ROTATE, Fence(), only=_SNAPSHOT, back=Back.WRITES),
    Row(Part.ROTATE, TakeSnapshot(), only=_SNAPSHOT, back=Back.MADE),
    Row(Part.ROTATE, Open(), only=_REPLICATE, back=Back.WRITES),
    Row(Part.ROTATE, MarkedSnapshot(), only=_REPLICATE, back=Back.MADE),
    Row(Part.ROTATE, Reencrypt(), back=Back.MADE),
    Row(Part.ROTATE, Green(), Stage.GREEN, back=Back.MADE),
    Row(Part.ROTATE, Parity()),
    Row(Part.ROTATE, Validate(), only=_SNAPSHOT),
    Row(Part.ROTATE, Cutover(), Stage.CUTOVER, only=_SNAPSHOT, back=Back.NAME),
    Row(Part.ROTATE, FindSeed(), only=_REPLICATE),
    Row(Part.ROTATE, CatchUp(), only=_REPLICATE, back=Back.WRITES),
    Row(Part.ROTATE, VerifyOnline(), only=_REPLICATE),
    Row(Part.ROTATE, Switch(), Stage.CUTOVER, only=_REPLICATE, back=Back.NAME),
    Row(Part.ROTATE, ReverseReplication(), only=_REPLICATE, back=Back.WRITES),
    Row(Part.ROTATE, Ungate(), Stage.UNGATE),
    Row(Part.ROTATE, Soak()),
    Row(Part.RETIRE, RetireCheck()),
    Row(Part.RETIRE, CloseWayBack(), only=_REPLICATE),
    Row(Part.RETIRE, FinalSnapshot()),
    Row(Part.RETIRE, FinalReencrypt()),
    Row(Part.RETIRE, Unprotect(), Stage.UNPROTECT),
    Row(Part.RETIRE, RestoreTtl(), Stage.RESTORE_TTL),
    Row(Part.RETIRE, RetireDatabase(), Stage.RETIRE_DATABASE),
    Row(Part.RETIRE_KEY, RetireSnapshots()),
    Row(Part.RETIRE_KEY, DisableKey(), Stage.DISABLE_KEY),
    Row(Part.RETIRE_KEY, RetireKey(), Stage.RETIRE_KEY),
    Row(Part.AFTER_ROLLBACK, CleanUp()),
)


def rotation_steps(strategy: Strategy, rows: Sequence[Row] = ROWS) -> tuple[AnyStep, ...]:
    """The steps of a rotation with that strategy; undecided ones are shown as snapshot."""
    return _steps(rows, strategy, Part.ROTATE)


def retire_steps(strategy: Strategy, rows: Sequence[Row] = ROWS) -> tuple[AnyStep, ...]:
    """The steps of retiring a rotation that had that strategy."""
    return _steps(rows, strategy, Part.RETIRE, Part.RETIRE_KEY)


def key_steps(rows: Sequence[Row] = ROWS) -> tuple[AnyStep, ...]:
    """The steps of retiring that are left once blue is gone."""
    return _steps(rows, Strategy.SNAPSHOT, Part.RETIRE_KEY)


def last_steps(rows: Sequence[Row] = ROWS) -> tuple[AnyStep, ...]:
    """What a rollback does when all has been taken back."""
    return _steps(rows, Strategy.SNAPSHOT, Part.AFTER_ROLLBACK)


def rollback_steps(strategy: Strategy, *groups: Back, rows: Sequence[Row] = ROWS) -> tuple[AnyStep, ...]:
    """The steps that a rollback takes back, in its order; of those groups alone where some are given."""
    found = [row for row in reversed(rows) if row.back in (groups or tuple(Back)) and row.of(strategy)]
    return tuple(row.step for group in Back for row in found if row.back is group)


def _steps(rows: Sequence[Row], strategy: Strategy, *parts: Part) -> tuple[AnyStep, ...]:
    return tuple(row.step for row in rows if row.part in parts and row.of(strategy))
