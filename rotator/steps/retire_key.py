"""Retire, second half: what lies under the old key is named; then the key is disabled, and at last scheduled."""

from __future__ import annotations

from rotator.aws.dependents import Dependents, dependents
from rotator.model import Stage
from rotator.steps import edits
from rotator.steps.base import Context, Kind, Observation, Outputs, Step, absent, satisfied, skipped
from rotator.steps.retire import no_final_copy
from rotator.steps.snapshots import look, remove
from rotator.steps.world import server

NOT_OURS = "the old key is not managed by this root"


class RetireSnapshots(Step):
    """Delete what this rotation left under the old key, and the working copy; the re-encrypted final copy stays."""

    name = "retire-snapshots"
    title = "Delete the snapshots under the old key"
    commits = "the deleted snapshots are gone"
    estimate_seconds = 10

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when nothing deletable is left under the old key."""
        left = _under_old_key(ctx).deletable
        working = ctx.rds.snapshot(ctx.rotation.copy_snapshot)
        return satisfied() if not left and working is None else absent(f"{len(left)} snapshots under the old key")

    def act(self, ctx: Context) -> None:
        """Delete them; prove first that the final copy is there."""
        copy = look(ctx, ctx.rotation.final_copy, ctx.rotation.blue, ctx.memory.outputs("key")["key_arn"])
        if copy.kind is not Kind.SATISFIED:
            raise no_final_copy(ctx, copy)
        names = [*_under_old_key(ctx).deletable, ctx.rotation.copy_snapshot]
        deleted = []
        for name in names:
            ctx.progress(None, f"deleting {name}")
            if remove(ctx, name, foreign=name in _matched(ctx)):
                deleted.append(name)
        ctx.memory.note(self.name, deleted=deleted)

    def verify(self, ctx: Context, outputs: Outputs) -> Outputs:
        """Take the tool's own schema out of the database that serves."""
        green = server(ctx, ctx.rotation.green)
        if green is not None and ctx.data.serving == ctx.rotation.target:
            green.forget(busy=True)
        return outputs

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        deleted = outputs.get("deleted") or []
        return f"deleted: {', '.join(deleted) or 'none'}"


class DisableKey(Step):
    """Disable the old key: what still needs it shows now, while it can be enabled again. Never under an instance."""

    name = "disable-key"
    title = "Disable the old key"
    rechecked_until = "retire-key"
    estimate_seconds = 40

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when KMS says disabled; skipped while an instance is still under the key."""
        generation = ctx.data.generations.get(ctx.rotation.source)
        arn = _old_key(ctx)
        if generation is None or generation.key is None or arn is None:
            return skipped(NOT_OURS)
        users = instances_under(ctx, arn)
        if users:
            return skipped(f"the old key stays enabled, because it still encrypts {'; '.join(users)}")
        key = ctx.kms.key(arn)
        if (key is not None and key.state == "Enabled") or ctx.midway(self.name):
            return absent("the old key is enabled")
        return satisfied(key_arn=arn, state=key.state if key else "gone")

    def act(self, ctx: Context) -> None:
        """Apply."""
        ctx.apply(Stage.DISABLE_KEY, edits.edit_key(ctx.data, ctx.rotation.source, is_enabled=False))

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        return f"{outputs['key_arn']} {outputs['state']}"


class RetireKey(Step):
    """Schedule the old key for deletion, unless something that must be kept lies under it."""

    name = "retire-key"
    title = "Schedule the old key for deletion"
    commits = "the key is gone when its waiting time is over; until then KMS can cancel it"
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when KMS says PendingDeletion; skipped, naming them, while things must be kept under the key."""
        generation = ctx.data.generations.get(ctx.rotation.source)
        arn = _old_key(ctx)
        key = ctx.kms.key(arn) if arn else None
        if generation is None:
            if key is None or ctx.memory.outputs("disable-key").get("key_arn") != arn:
                return skipped(NOT_OURS)
            date = key.deletion_date.isoformat() if key.deletion_date else None
            return satisfied(key_arn=arn, state=key.state, deletion_date=date)
        if generation.key is None:
            return skipped(NOT_OURS)
        users = instances_under(ctx, arn) if arn else ()
        if users:
            return skipped(f"the old key stays enabled, because it still encrypts {'; '.join(users)}")
        found = _under_old_key(ctx)
        left = (*found.kept, *(f"snapshot {name}" for name in found.deletable))
        if left:
            return skipped(f"the old key stays disabled, because it is needed by {'; '.join(left)}")
        return absent("the old key is disabled")

    def act(self, ctx: Context) -> None:
        """Apply: Terraform's destroy of a key schedules its deletion (ScheduleKeyDeletion)."""
        ctx.apply(Stage.RETIRE_KEY, edits.without_generation(ctx.data, ctx.rotation.source))
        ctx.stages.check_clean()

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        return f"{outputs['key_arn']} {outputs['state']}, will be deleted {outputs['deletion_date']}"


def instances_under(ctx: Context, arn: str) -> tuple[str, ...]:
    """Instances that still need a key, in words; another database may share it."""
    return dependents(
        arn,
        snapshots=(),
        automated_backups=(),
        instances=ctx.rds.instances(),
        database=ctx.rotation.blue,
        delete_globs=(),
        own_snapshots=(),
    ).kept


def _old_key(ctx: Context) -> str | None:
    value = ctx.memory.outputs("key").get("old_key_arn")
    return str(value) if value else None


def _matched(ctx: Context) -> frozenset[str]:
    own = {ctx.rotation.source_snapshot, ctx.rotation.final_snapshot}
    return frozenset(n for n in _under_old_key(ctx).deletable if n not in own)


def _under_old_key(ctx: Context) -> Dependents:
    arn = _old_key(ctx)
    if arn is None:
        return Dependents((), ())
    return dependents(
        arn,
        snapshots=ctx.rds.snapshots(),
        automated_backups=ctx.rds.automated_backups(),
        instances=ctx.rds.instances(),
        database=ctx.rotation.blue,
        delete_globs=ctx.env.config.retire.delete_snapshots,
        own_snapshots=(ctx.rotation.source_snapshot, ctx.rotation.final_snapshot),
    )
