"""Keys that an earlier rotation kept in the root's data, and what somebody else has done to them since.

Two envs may have adopted one key: each has it in its root, and the last to retire schedules its deletion. To the
other's provider a key that is pending deletion is gone: every plan would make a new one, and every stage is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rotator.aws.dependents import dependents
from rotator.commands.workbench import Workbench
from rotator.errors import Blocked
from rotator.model import Key, Stage
from rotator.steps import edits
from rotator.steps.base import Options
from rotator.workflow.journal import Journal, Phase, RotationRecord
from rotator.workflow.memory import JournalMemory

_SCHEDULED = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@dataclass(frozen=True)
class _Kept:
    record: RotationRecord
    generation: str
    arn: str


def follow_kept_keys(bench: Workbench) -> None:
    """Bring the root's data up to the world: a kept key that somebody disabled, enabled, or scheduled for deletion.

    Raises Blocked while something still lies under a key that is scheduled: it can be cancelled, and must be.
    """
    for kept in _kept(bench.store.load()):
        key = bench.kms.key(kept.arn)
        if key is not None and key.state not in _SCHEDULED:
            _follow_state(bench, kept, key)
            continue
        _refuse_needed(bench, kept, key)
        memory = JournalMemory(bench.store, kept.record.rotation.id)
        ctx = bench.context(memory, kept.record, Options())
        ctx.apply(Stage.RETIRE_KEY, edits.without_generation(ctx.data, kept.generation))
        state = f"is {key.state}" if key is not None else "is gone"
        bench.reporter.note(f"the kept key {kept.arn} {state}, by somebody else: it is taken out of Terraform's data")


def refuse_gone_keys(bench: Workbench) -> None:
    """For a verb that changes nothing: raise Blocked where the next one will take a key out of the root's data."""
    for kept in _kept(bench.store.load()):
        key = bench.kms.key(kept.arn)
        if key is None or key.state in _SCHEDULED:
            _refuse_needed(bench, kept, key)
            raise Blocked(
                f"The key {kept.arn}, which was kept, {f'is {key.state}' if key else 'is gone'}.",
                why="Somebody else has scheduled its deletion, so a plan of the root would make a new one.",
                fix=f"rotator rotate {bench.env.name}, or retire, takes it out of Terraform's data and goes on.",
                code="kept-key-gone",
            )


def _kept(journal: Journal) -> Iterator[_Kept]:
    """Keys without a database of their own in the root's data; none while a stage is under way."""
    root = journal.root
    if root is None or journal.pending is not None:
        return
    for record in journal.rotations:
        if record.blue_gone:
            name, output = record.rotation.source, "old_key_arn"
        elif record.phase is Phase.ROLLED_BACK:
            name, output = record.rotation.target, "key_arn"
        else:
            continue
        generation, arn = root.generations.get(name), record.step("key").outputs.get(output)
        if generation is not None and generation.key is not None and generation.database is None and arn:
            yield _Kept(record, name, str(arn))


def _follow_state(bench: Workbench, kept: _Kept, key: Key) -> None:
    memory = JournalMemory(bench.store, kept.record.rotation.id)
    root = memory.root()
    known = root.generations[kept.generation].key if root is not None else None
    if root is None or known is None or key.state not in ("Enabled", "Disabled"):
        return
    enabled = key.state == "Enabled"
    if known.is_enabled is not enabled:
        memory.write_root(edits.edit_key(root, kept.generation, is_enabled=enabled))


def _refuse_needed(bench: Workbench, kept: _Kept, key: Key | None) -> None:
    if key is None:
        return  # nothing can be saved any more
    left = dependents(
        kept.arn,
        snapshots=bench.rds.snapshots(),
        automated_backups=bench.rds.automated_backups(),
        instances=bench.rds.instances(),
        database=kept.record.rotation.blue,
        delete_globs=(),
        own_snapshots=(),
    ).kept
    if left:
        date = f" on {key.deletion_date.isoformat(' ', 'minutes')}" if key.deletion_date else ""
        raise Blocked(
            f"The key {kept.arn} will be deleted{date}, and things lie under it that cannot be read without it.",
            why="Somebody else has scheduled its deletion: this env had kept it, for their sake.",
            fix=f"aws kms cancel-key-deletion --key-id {kept.arn}, then aws kms enable-key --key-id {kept.arn}. Or, if "
            "they may be lost, delete them. Then run the same again.",
            details=left,
            code="kept-key-scheduled",
        )
