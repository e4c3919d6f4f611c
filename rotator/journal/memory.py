"""The engine's hold on the journal: every change goes through here and is durable before the next side effect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from rotator.domain.root import Imports, RootData
from rotator.domain.root_edits import without_names
from rotator.domain.rotation import Strategy
from rotator.journal.document import Journal, Phase, RotationRecord, Run
from rotator.journal.keeper import Keeper
from rotator.journal.results import R
from rotator.journal.step_record import Status, StepRecord

_COMPARES_NOTHING = frozenset(Phase) - {Phase.ROTATING, Phase.ROLLING_BACK}


class JournalMemory:
    """One rotation's view of the journal; implements rotation.steps.interfaces.Memory."""

    def __init__(self, keeper: Keeper, rotation_id: str) -> None:
        self._keeper = keeper
        self._id = rotation_id
        self._journal = keeper.load()

    @property
    def journal(self) -> Journal:
        """The whole document as it is now."""
        return self._journal

    @property
    def record(self) -> RotationRecord:
        """The record of this rotation."""
        return self._journal.find(self._id)

    def refresh(self) -> None:
        """Take in what was saved beside this view."""
        self._journal = self._keeper.load()

    def renew(self) -> None:
        """Right before what cannot be undone: raises LockedError when another run may hold the env by now."""
        self._keeper.renew()

    def root(self) -> RootData | None:
        """The root's data."""
        return self._journal.root

    def pending(self) -> RootData | None:
        """The data of a stage that a killed run was applying."""
        return self._journal.pending

    def stage(self, data: RootData) -> None:
        """Keep the data of a stage that is about to be applied, and derive the file that Terraform reads."""
        pending = None if data == self._journal.root else data
        self._save(replace(self._journal, pending=pending))

    def unstage(self) -> None:
        """The staged data was refused: the data file says again what has been applied, or is gone when nothing has."""
        self._save(replace(self._journal, pending=None))
        if self._journal.root is None:
            self._keeper.drop_data()

    def commit(self) -> None:
        """The stage has been applied: its data is the root's now."""
        data = self._journal.pending or self._journal.root
        if data is not None:
            # What has been imported is in the state: an import block that outlives its resource breaks every plan.
            data = replace(data, imports=Imports())
        self._save(replace(self._journal, root=data, pending=None))

    def write_root(self, data: RootData) -> None:
        """Keep the root's data where no apply is needed for it."""
        self._save(replace(self._journal, root=data, pending=None))

    def let_go(self, keys: Collection[str]) -> None:
        """Drop further records; a stage that a killed run was applying stays pending, without them."""
        root, pending = (
            without_names(data, keys) if data is not None else None
            for data in (self._journal.root, self._journal.pending)
        )
        self._save(replace(self._journal, root=root, pending=pending))

    def result(self, kind: type[R]) -> R:
        """What the step of that kind has recorded."""
        return self.record.result(kind)

    def note(self, kind: type[R], change: Callable[[R], R]) -> None:
        """Change what the step of that kind has recorded."""
        self.put(kind.step, replace(self.record.step(kind.step), result=change(self.result(kind))))

    def keep(self, word: str, value: Any) -> None:
        """Keep, beside the journal and never in it, what may hold values of rows."""
        self._keeper.private.keep(self._private, word, value)

    def kept(self, word: str) -> Any:
        """What was kept; None when it is not there."""
        return self._keeper.private.kept(self._private, word)

    @property
    def _private(self) -> str:
        """The nonce too: another clone's rotation of that name is another one."""
        return f"{self._id}-{self.record.rotation.nonce}"

    def ran(self, run: Run) -> None:
        """Note a command that works on this rotation."""
        self._save(self._journal.with_rotation(self.record.with_run(run)))

    def put(self, step: str, record: StepRecord) -> None:
        """Keep a step's record."""
        self._save(self._journal.with_rotation(self.record.with_step(step, record)))

    def status(self, step: str) -> Status:
        """Where a step stands."""
        return self.record.step(step).status

    def is_done(self, step: str) -> bool:
        """Whether a step has finished."""
        return self.status(step) is Status.DONE

    def began(self, step: str) -> bool:
        """Whether a step was ever begun."""
        return self.status(step) is not Status.NONE

    def decide_strategy(self, strategy: Strategy) -> None:
        """Keep what `auto` has come to."""
        rotation = replace(self.record.rotation, strategy=strategy)
        if rotation != self.record.rotation:
            self._save(self._journal.with_rotation(replace(self.record, rotation=rotation)))

    def phase(self, phase: Phase) -> None:
        """Keep the rotation's phase; where no comparison is under way any more, what was kept for it is removed."""
        if phase in _COMPARES_NOTHING:
            self._keeper.private.forget(self._private)
        self._save(self._journal.with_rotation(replace(self.record, phase=phase)))

    def _save(self, journal: Journal) -> None:
        self._keeper.save(journal)
        self._journal = journal
