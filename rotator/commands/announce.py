"""What a run announces at its start: DNS records that the root releases; its steps, with their states so far."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.root import EndpointSpec
from rotator.journal.document import RotationRecord
from rotator.journal.step_record import Status
from rotator.report.live.interface import Reporter, StepInfo, StepState
from rotator.rotation.registry import last_steps
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.prepare.letting_go import let_go
from rotator.rotation.steps.step import AnyStep

_UNDO_STATES = {Status.UNDONE: StepState.DONE}
_STATES = {Status.DONE: StepState.DONE, Status.SKIPPED: StepState.SKIPPED}


def step_infos(record: RotationRecord, steps: Sequence[AnyStep]) -> tuple[StepInfo, ...]:
    """The steps for the live progress, with their states from earlier runs."""
    return tuple(
        StepInfo(s.name, s.title, s.estimate_seconds, _STATES.get(record.step(s.name).status, StepState.TO_COME))
        for s in steps
    )


def undo_infos(record: RotationRecord, steps: Sequence[AnyStep]) -> tuple[StepInfo, ...]:
    """The steps that a rollback reverts, for the live progress: done are those that it has already reverted."""
    return tuple(
        StepInfo(s.name, _title(s), s.estimate_seconds, _UNDO_STATES.get(status, StepState.TO_COME))
        for s in steps
        if (status := record.step(s.name).status) is not Status.NONE or _is_last(s)
    )


def let_go_aloud(reporter: Reporter, ctx: Context, records: Sequence[EndpointSpec]) -> None:
    """Release records before any plan: a plan would restore a deleted or moved record, and be refused for it."""
    for words in let_go(ctx, records):
        reporter.note(words)


def _title(step: AnyStep) -> str:
    return step.title if _is_last(step) else f"Take back: {step.title}"


def _is_last(step: AnyStep) -> bool:
    """Whether it is a rollback's own step, not one that it reverts."""
    return step.name in {last.name for last in last_steps()}
