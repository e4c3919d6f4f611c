"""What a run announces at its begin: records that the root lets go of; its steps, with where earlier runs left them."""

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
    """The steps for a strip, with where earlier runs left them."""
    return tuple(
        StepInfo(s.name, s.title, s.estimate_seconds, _STATES.get(record.step(s.name).status, StepState.TO_COME))
        for s in steps
    )


def undo_infos(record: RotationRecord, steps: Sequence[AnyStep]) -> tuple[StepInfo, ...]:
    """The steps that a rollback takes back, for a strip: done are those that it has taken back already."""
    return tuple(
        StepInfo(s.name, _title(s), s.estimate_seconds, _UNDO_STATES.get(status, StepState.TO_COME))
        for s in steps
        if (status := record.step(s.name).status) is not Status.NONE or _is_last(s)
    )


def let_go_aloud(reporter: Reporter, ctx: Context, records: Sequence[EndpointSpec]) -> None:
    """First of all: every plan would put a record back that somebody has deleted or moved, and be refused for it."""
    for words in let_go(ctx, records):
        reporter.note(words)


def _title(step: AnyStep) -> str:
    return step.title if _is_last(step) else f"Take back: {step.title}"


def _is_last(step: AnyStep) -> bool:
    """One that a rollback takes, not takes back."""
    return step.name in {last.name for last in last_steps()}
