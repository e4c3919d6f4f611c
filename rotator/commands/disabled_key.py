"""A repeated retire checks whether somebody enabled the old key again. The real state overrides the journal."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain import root_edits as edits
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import DisableKeyResult
from rotator.journal.step_record import Status
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.retire.old_key import old_key


def take_note(ctx: Context, memory: JournalMemory) -> None:
    """Update the journal and the root's data to the real state of the disabled key.

    A key that somebody enabled is enabled in the root's data too, so that no plan disables it without a question; the
    step is undone, wherever a run stopped. If the journal lacks the time since when the key is disabled (an
    older rotator wrote it), the step's own time counts.
    """
    record, root = memory.record.step(DisableKeyResult.step), memory.root()
    generation = root.generations.get(ctx.rotation.source) if root is not None else None
    known = memory.result(DisableKeyResult)
    disabled = record.status is Status.DONE or known.disabled_at is not None
    arn = old_key(ctx)
    if not disabled or root is None or generation is None or generation.key is None or arn is None:
        return
    key = ctx.kms.key(arn)
    if key is not None and key.state == "Enabled":
        memory.write_root(edits.edit_key(root, ctx.rotation.source, is_enabled=True))
        again = replace(known, disabled_at=None, enabled_again=True)
        memory.put(DisableKeyResult.step, replace(record, status=Status.NONE, result=again))
    elif known.disabled_at is None:
        since = record.finished or ctx.clock.now().isoformat("T", "seconds")
        memory.note(DisableKeyResult, lambda noted: replace(noted, disabled_at=since))
