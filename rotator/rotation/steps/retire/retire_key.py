"""Retire, second half: what lies under the old key is named; then the key is disabled, and at last scheduled."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.aws.uses import Use
from rotator.domain import root_edits as edits
from rotator.domain.aws import Key
from rotator.domain.errors import KeyStaysDisabled
from rotator.domain.root import Stage
from rotator.journal.results_retire import DisableKeyResult, RetireKeyResult, RetireSnapshotsResult
from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.snapshots import delete, going
from rotator.rotation.steps.observation import Kind, Observation, absent, conflict, needs_approval, satisfied, skipped
from rotator.rotation.steps.retire.cleanup import forget
from rotator.rotation.steps.retire.old_key import (
    disabled_until,
    instances_under,
    last_use,
    listed,
    old_key,
    under_old_key,
    uses_outside,
)
from rotator.rotation.steps.retire.retire import final_copy, no_final_copy
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import server

CLOCKS = timedelta(minutes=5)
"""By how much this machine's clock and KMS's may differ."""
SCHEDULED = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
NOT_OURS = "the old key is not managed by this root"


class RetireSnapshots(Step[RetireSnapshotsResult]):
    """Delete what this rotation left under the old key, and the working copy; the re-encrypted final copy stays."""

    name = "retire-snapshots"
    records = RetireSnapshotsResult
    title = "Delete the snapshots under the old key"
    commits = "the deleted snapshots are gone"
    estimate_seconds = 10

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when nothing deletable is left under the old key."""
        left = under_old_key(ctx).deletable
        working = ctx.topology.snapshot(ctx.rotation.copy_snapshot)
        asked = ctx.memory.result(RetireSnapshotsResult).deleted or ()
        there = (*left, *([ctx.rotation.copy_snapshot] if working is not None else []))
        if not there:
            return satisfied()
        if set(there) <= set(asked):
            return going(", ".join(there))
        return absent(f"{len(left)} snapshots under the old key")

    def act(self, ctx: Context) -> None:
        """Delete them; prove first that the final copy is there."""
        copy = final_copy(ctx)
        if copy.kind is not Kind.SATISFIED:
            raise no_final_copy(ctx, copy)
        names = [*under_old_key(ctx).deletable, ctx.rotation.copy_snapshot]
        asked = ctx.memory.result(RetireSnapshotsResult).deleted or ()
        for name in (name for name in names if name not in asked):
            ctx.progress(None, f"deleting {name}")
            if delete(ctx, name, foreign=name in _matched(ctx)):
                _note_deleted(ctx, name)

    def verify(self, ctx: Context, result: RetireSnapshotsResult) -> RetireSnapshotsResult:
        """Take the tool's own schema out of the database that serves; raises what its clients have left there."""
        # A later rotation's green may serve by now, and this one may be gone.
        green = server(ctx, ctx.rotation.green) if ctx.data.serving == ctx.rotation.target else None
        left = forget(ctx, green) if green is not None else None
        if left is not None:
            raise left
        return result

    def words(self, result: RetireSnapshotsResult) -> str:
        deleted = result.deleted or ()
        return f"deleted: {', '.join(deleted) or 'none'}"


def _note_deleted(ctx: Context, name: str) -> None:
    ctx.memory.note(RetireSnapshotsResult, lambda known: replace(known, deleted=(*(known.deleted or ()), name)))


class DisableKey(Step[DisableKeyResult]):
    """Disable the old key: what still needs it shows now, while it can be enabled again. Never under what is known."""

    name = "disable-key"
    records = DisableKeyResult
    title = "Disable the old key"
    rechecked_until = RetireKeyResult.step
    estimate_seconds = 40

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when KMS says disabled; skipped while something that needs the key is known."""
        generation = ctx.data.generations.get(ctx.rotation.source)
        arn = old_key(ctx)
        if generation is None or generation.key is None or arn is None:
            return skipped(NOT_OURS)
        uses = (*instances_under(ctx, arn), *uses_outside(ctx, arn, generation.key.alias))
        key = ctx.kms.key(arn)
        enabled = key is not None and key.state == "Enabled"
        if uses:
            return skipped(f"{_stays(enabled)}, because it is still used by {listed(uses)}")
        if ctx.memory.result(DisableKeyResult).enabled_again and Approval.DISABLE_KEY not in ctx.options.approvals:
            return needs_approval(
                "the old key was disabled, and somebody has enabled it again: something needed it.",
                f"Move that to another key, then: rotator retire {ctx.env.name} --approve {Approval.DISABLE_KEY}",
            )
        if enabled or generation.key.is_enabled or ctx.midway(self.name):
            return absent("the old key is enabled")
        return satisfied(replace(ctx.memory.result(DisableKeyResult), key_arn=arn, state=key.state if key else "gone"))

    def act(self, ctx: Context) -> None:
        """Apply; from now on it is disabled."""
        ctx.apply(Stage.DISABLE_KEY, edits.edit_key(ctx.data, ctx.rotation.source, is_enabled=False))
        ctx.memory.note(
            DisableKeyResult,
            lambda known: replace(known, disabled_at=ctx.clock.now().isoformat("T", "seconds"), enabled_again=False),
        )

    def verify(self, ctx: Context, result: DisableKeyResult) -> DisableKeyResult:
        """Keep since when: a key that was found disabled counts from now."""
        return replace(result, disabled_at=result.disabled_at or ctx.clock.now().isoformat("T", "seconds"))

    def words(self, result: DisableKeyResult) -> str:
        return f"{result.key_arn} {result.state}"


class RetireKey(Step[RetireKeyResult]):
    """Schedule the old key for deletion, unless something that must be kept lies under it."""

    name = "retire-key"
    records = RetireKeyResult
    title = "Schedule the old key for deletion"
    commits = "the key is gone when its waiting time is over; until then KMS can cancel it"
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when KMS says PendingDeletion; skipped, naming them, while things must be kept under the key.

        Raises KeyStaysDisabled until the key has been disabled for as long as [retire] disabled_for says.
        """
        generation = ctx.data.generations.get(ctx.rotation.source)
        arn = old_key(ctx)
        key = ctx.kms.key(arn) if arn else None
        if generation is None:
            known = ctx.memory.result(RetireKeyResult)
            if known.taken_out and key is not None and key.state in SCHEDULED and under_old_key(ctx).kept:
                return self._scheduled_by_another(ctx, key)
            if key is None or ctx.memory.result(DisableKeyResult).key_arn != arn:
                return skipped(NOT_OURS)
            date = key.deletion_date.isoformat() if key.deletion_date else None
            return satisfied(replace(known, key_arn=arn, state=key.state, deletion_date=date, stays=None))
        if generation.key is None or arn is None:
            return skipped(NOT_OURS)
        outside = (*instances_under(ctx, arn), *uses_outside(ctx, arn, generation.key.alias))
        if outside:
            enabled = key is not None and key.state == "Enabled"
            return _kept(f"{_stays(enabled)}, because it is still used by {listed(outside)}")
        found = under_old_key(ctx)
        deletable = (Use(f"snapshot {name}", "the next retire deletes it") for name in found.deletable)
        left = (*found.uses, *deletable)
        if left:
            return _kept(f"{_stays(False)}, because it is needed by {listed(left)}")
        return self._disabled_long_enough(ctx, arn)

    def _scheduled_by_another(self, ctx: Context, key: Key) -> Observation:
        return conflict(
            f"The old key is {key.state}, by somebody else, and what still uses it cannot be read without it.",
            f"aws kms cancel-key-deletion --key-id {key.arn}, then aws kms enable-key --key-id {key.arn}. Or, if they "
            f"may be lost, delete them. Then: rotator retire {ctx.env.name}",
            under_old_key(ctx).kept,
        )

    def _disabled_long_enough(self, ctx: Context, arn: str) -> Observation:
        noted = ctx.memory.result(DisableKeyResult).disabled_at
        if noted is None:
            return _kept(f"{_stays(True)}: what used it until now does no longer; run retire again")
        since = datetime.fromisoformat(noted)
        until, used = disabled_until(ctx, since), last_use(ctx, arn)
        last = f"{used.at.isoformat(' ', 'seconds')} ({used.operation})" if used else "no time that KMS tells"
        if used is not None and used.at > since + CLOCKS:
            return conflict(
                f"The old key was used at {last}, after it was disabled: somebody had enabled it.",
                "Find what used it (CloudTrail) and move that to another key. Then aws kms enable-key --key-id "
                f"{arn}, and rotator retire {ctx.env.name} --approve disable-key: that disables it anew.",
            )
        if ctx.clock.now() < until:
            raise KeyStaysDisabled(
                f"The old key is disabled; its deletion can be scheduled from {until.isoformat(' ', 'seconds')} on.",
                why=f"Until then whatever still needs {arn} fails, and can be helped at once. Last use: {last}.",
                fix="Watch for DisabledException and KMSInvalidStateException (CloudTrail, logs of applications, "
                f"volumes that do not attach). If there is one: aws kms enable-key --key-id {arn}. "
                f"Then, from that time on: rotator retire {ctx.env.name}",
            )
        return absent("the old key is disabled")

    def act(self, ctx: Context) -> None:
        """Apply: Terraform's destroy of a key schedules its deletion (ScheduleKeyDeletion)."""
        ctx.apply(Stage.RETIRE_KEY, edits.without_generation(ctx.data, ctx.rotation.source))
        ctx.stages.check_clean()

    def words(self, result: RetireKeyResult) -> str:
        return f"{result.key_arn} {result.state}, will be deleted {result.deletion_date}"


def _kept(reason: str) -> Observation:
    return skipped(reason, RetireKeyResult(stays=True))


def _stays(enabled: bool) -> str:
    return f"the old key stays {'enabled' if enabled else 'disabled'}"


def _matched(ctx: Context) -> frozenset[str]:
    own = {ctx.rotation.source_snapshot, ctx.rotation.final_snapshot}
    return frozenset(n for n in under_old_key(ctx).deletable if n not in own)
