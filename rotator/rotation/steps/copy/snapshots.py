"""Snapshot of blue, and its copy re-encrypted under the new key."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from rotator.domain.aws import Snapshot
from rotator.domain.errors import Blocked
from rotator.journal.results import GreenResult, KeyResult, ReencryptResult, SnapshotResult, need
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, conflict, in_progress, satisfied
from rotator.rotation.steps.step import Step, Undone
from rotator.rotation.steps.world import STRANGER, made_by, ours

S = TypeVar("S", bound=SnapshotResult)
FAILED = frozenset({"failed", "incompatible-restore", "incompatible-network"})


def look(
    ctx: Context,
    identifier: str,
    instance: str,
    kind: type[SnapshotResult] = SnapshotResult,
    key_arn: str | None = None,
    *,
    made_here: bool = False,
) -> Observation:
    """A look at a snapshot of `instance` by this rotation; with `key_arn`, it must be under exactly that key.

    `kind`: what it is recorded as. `made_here`: by the step of that kind.
    """
    found = ctx.topology.snapshot(identifier)
    if found is None:
        return absent(f"snapshot {identifier} does not exist")
    if not ours(ctx, found.tags) or found.instance_identifier != instance:
        return conflict(
            f"A snapshot {identifier} (of {found.instance_identifier}) exists {made_by(ctx, found.tags)}.", STRANGER
        )
    if made_here:
        ctx.refuse_unheard_of(kind.step, f"snapshot {identifier}")
    if found.status in FAILED:
        return conflict(
            f"Snapshot {identifier} ended as {found.status}.",
            f"Delete it (aws rds delete-db-snapshot --db-snapshot-identifier {identifier}) and run it again.",
        )
    if found.status != "available":
        return in_progress(f"{identifier} {found.status}, {found.percent} %", found.percent / 100)
    if key_arn is not None and found.kms_key_arn != key_arn:
        # RDS has been seen to finish a copy under the source's key without an error: awslabs/rds-snapshot-tool #60.
        return conflict(
            f"Snapshot {identifier} is under key {found.kms_key_arn}, not under the new key {key_arn}.",
            "Delete that copy and run it again; restoring it would keep the old key.",
        )
    return satisfied(
        replace(ctx.memory.result(kind), snapshot=found.identifier, arn=found.arn, key_arn=found.kms_key_arn)
    )


def source(ctx: Context, identifier: str) -> Snapshot:
    """That snapshot, to be copied; raises Blocked when it is gone."""
    found = ctx.topology.snapshot(identifier)
    if found is None:
        raise Blocked(
            f"Snapshot {identifier} is gone.",
            fix="Take the rotation back with rollback, and start again.",
            code="snapshot-gone",
        )
    return found


def delete(ctx: Context, identifier: str, *, foreign: bool = False) -> bool:
    """Ask for a snapshot's deletion, if it is there and ours (or `foreign` is said); whether it was."""
    found = ctx.topology.snapshot(identifier)
    if found is None or not (foreign or ours(ctx, found.tags)):
        return False
    ctx.memory.renew()
    ctx.topology.delete_snapshot(identifier)
    return True


def going(identifier: str) -> Observation:
    """Its deletion was asked for, and it is still there."""
    return in_progress(f"waiting until {identifier} is deleted")


class TakeSnapshot(Step[SnapshotResult]):
    """Snapshot blue, after the fence: it holds every acknowledged write."""

    name = "snapshot"
    records = SnapshotResult
    title = "Snapshot blue"
    rechecked_until = GreenResult.step
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when the snapshot is available."""
        return look(ctx, ctx.rotation.source_snapshot, ctx.rotation.blue, made_here=True)

    def act(self, ctx: Context) -> None:
        """Ask RDS for the snapshot."""
        ctx.topology.create_snapshot(ctx.rotation.blue, ctx.rotation.source_snapshot, _tags(ctx))

    def undo(self, ctx: Context) -> Undone:
        """Keep the snapshot unless told otherwise."""
        return _undo(ctx, ctx.rotation.source_snapshot, SnapshotResult)

    def words(self, result: SnapshotResult) -> str:
        return str(result.snapshot)


class Reencrypt(Step[ReencryptResult]):
    """Copy the snapshot under the new key: here RDS re-encrypts all data (CopyDBSnapshot, KmsKeyId)."""

    name = "re-encrypt"
    records = ReencryptResult
    title = "Copy the snapshot under the new key"
    rechecked_until = GreenResult.step
    estimate_seconds = 60

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when the copy is available and its key, read back, is the new key."""
        key = need(ctx.memory.result(KeyResult).key_arn)
        return look(ctx, ctx.rotation.copy_snapshot, ctx.rotation.blue, ReencryptResult, key, made_here=True)

    def act(self, ctx: Context) -> None:
        """Ask RDS for the copy."""
        key = need(ctx.memory.result(KeyResult).key_arn)
        ctx.topology.copy_snapshot(
            source(ctx, ctx.rotation.source_snapshot), ctx.rotation.copy_snapshot, key, _tags(ctx)
        )

    def undo(self, ctx: Context) -> Undone:
        """Keep the copy unless told otherwise."""
        return _undo(ctx, ctx.rotation.copy_snapshot, ReencryptResult)

    def words(self, result: ReencryptResult) -> str:
        return f"{result.snapshot}, key read back: {result.key_arn}"


def _tags(ctx: Context) -> dict[str, str]:
    return {**ctx.env.config.tags, **ctx.rotation.tags}


def _undo(ctx: Context, identifier: str, kind: type[S]) -> Undone:
    found = ctx.topology.snapshot(identifier)
    if ctx.memory.result(kind).deleting:
        return going(identifier) if found is not None else f"snapshot {identifier} deleted"
    if not ctx.options.delete_snapshots:
        kept = f"snapshot {identifier} kept, and with it the key that it is under: delete it once it is not needed"
        return kept if found is not None else ""
    if not delete(ctx, identifier):
        return ""
    ctx.memory.note(kind, lambda known: replace(known, deleting=True))
    return going(identifier) if ctx.topology.snapshot(identifier) is not None else f"snapshot {identifier} deleted"
