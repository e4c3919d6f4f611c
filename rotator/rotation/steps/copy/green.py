"""Green: the new instance, restored from the re-encrypted copy, and its parity with blue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain import root_edits as edits
from rotator.domain.aws import Deployment
from rotator.domain.errors import Blocked
from rotator.domain.root import DatabaseSpec, Imports, RootData, Stage
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult, GreenResult, KeyResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.quarantine import at_once, quarantine, wanted, while_it_is_made
from rotator.rotation.steps.copy.snapshots import look
from rotator.rotation.steps.observation import Kind, Observation, absent, conflict, in_progress, satisfied
from rotator.rotation.steps.step import Step, Undone
from rotator.rotation.steps.world import STRANGER, any_at, blue_instance, made_by, ours, server

SHOWN = timedelta(minutes=3)
"""How long RDS may take to show a snapshot that it has accepted: its answers are eventually consistent."""
RESTING = frozenset({"available", "storage-optimization"})
MAKING = frozenset({"creating", "backing-up", "modifying", "rebooting"})
"""States that pass by themselves, in which RDS refuses to modify an instance (InvalidDBInstanceState)."""


class Green(Step[GreenResult]):
    """Restore green through Terraform; the module's preconditions prove the snapshot's key before anything is made."""

    name = "green"
    records = GreenResult
    title = "Restore green under the new key"
    estimate_seconds = 240

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when the instance is available under the new key and the state holds it."""
        found = ctx.topology.find(ctx.rotation.green)
        if found is None:
            return absent(f"{ctx.rotation.green} does not exist")
        if not ours(ctx, found.tags):
            return conflict(f"An instance {ctx.rotation.green} exists {made_by(ctx, found.tags)}.", STRANGER)
        ctx.refuse_unheard_of(self.name, found.identifier)
        key = ctx.memory.result(KeyResult).key_arn
        if found.kms_key_arn != key or not found.encrypted:
            return conflict(
                f"{found.identifier} is under key {found.kms_key_arn}, not under the new key {key}.",
                f"Take the rotation back: rotator rollback {ctx.env.name}",
            )
        held = ctx.topology.address(ctx.rotation.target) in ctx.stages.state_addresses()
        if not held or ctx.midway(self.name):
            return _half_made(ctx) or absent("the state does not hold it yet")
        if found.status not in RESTING:
            return in_progress(f"{found.identifier} {found.status}")
        known = ctx.memory.result(GreenResult)
        return satisfied(replace(known, identifier=found.identifier, address=found.address, key_arn=found.kms_key_arn))

    def act(self, ctx: Context) -> None:
        """Apply the green stage; an instance that a killed run left outside the state is imported, not made anew."""
        replicates = ctx.rotation.strategy is Strategy.REPLICATE
        watched = replace(ctx, progress=while_it_is_made(ctx)) if replicates else ctx
        after = edits.with_generation(ctx.data, ctx.rotation.target, database=green_database(ctx))
        if not self._take_in(ctx, after):
            watched.apply(Stage.GREEN, after)

    def _take_in(self, ctx: Context, after: RootData) -> bool:
        name = ctx.rotation.target
        found = ctx.topology.find(ctx.rotation.green)
        address = ctx.topology.address(name)
        if found is None or not ours(ctx, found.tags):
            return False
        if address in ctx.stages.state_addresses():
            # An apply that was cut off marks what it was making as tainted, which would plan its replacement.
            ctx.stages.untaint(address)
            return False
        data = edits.edit_database(after, name, snapshot_identifier=None)
        ctx.take_in(Stage.GREEN, replace(data, imports=Imports(databases={name: ctx.rotation.green})))
        return True

    def attend(self, ctx: Context) -> None:
        """One that a killed run left half made answers before it is made: it is shut then."""
        at_once(ctx)

    def verify(self, ctx: Context, result: GreenResult) -> GreenResult:
        """Shut it, then forget the snapshot in the data: it may be deleted later, and the plan must stay clean then."""
        if wanted(ctx):
            quarantine(ctx)
            result = replace(result, quarantined=ctx.memory.result(GreenResult).quarantined)
        database = ctx.data.generations[ctx.rotation.target].database
        if database is not None and database.snapshot_identifier is not None:
            ctx.memory.write_root(edits.edit_database(ctx.data, ctx.rotation.target, snapshot_identifier=None))
        secret = _secret(ctx, ctx.rotation.green)
        if secret is None:
            return result
        return replace(result, secret_arn=secret, old_secret_arn=_secret(ctx, ctx.rotation.blue))

    def undo(self, ctx: Context) -> Undone:
        """Delete green, unless it serves; what was written on it since the flip is kept in a snapshot first."""
        name, found = ctx.rotation.target, ctx.topology.find(ctx.rotation.green)
        known = ctx.data.generations.get(name)
        if (known is None or known.database is None) and (found is None or not ours(ctx, found.tags)):
            return ""
        if any_at(ctx, ctx.rotation.green):
            raise Blocked("Green serves: it cannot be removed.", fix="Flip back first.", code="green-serves")
        data = ctx.data
        if known is None or known.database is None:
            data = edits.with_generation(data, name, database=green_database(ctx))
        half_made = _half_made(ctx)
        if half_made is not None:
            return half_made
        self._take_in(ctx, data)
        kept = keep_writes(ctx)
        if not isinstance(kept, str):
            return kept
        made = ctx.data.generations[name].database
        there = ctx.topology.find(ctx.rotation.green) is not None
        if there and made is not None and not made.skip_final_snapshot:
            after = edits.unprotected(ctx.data, ctx.rotation.target, delete_automated_backups=True)
            ctx.apply(Stage.ROLLBACK_UNPROTECT, after)
        ctx.apply(Stage.ROLLBACK, edits.with_generation(ctx.data, ctx.rotation.target, database=None))
        return f"{ctx.rotation.green} deleted{kept}"

    def words(self, result: GreenResult) -> str:
        secret = f", master password in secret {result.secret_arn}" if result.secret_arn else ""
        return f"{result.identifier} at {result.address}, key {result.key_arn}{secret}"


def _half_made(ctx: Context) -> Observation | None:
    """An apply that was cut off, or whose answer was lost, leaves a green that AWS still makes: Terraform can finish or
    remove it only when it is made.
    """
    found = ctx.topology.find(ctx.rotation.green)
    if found is None or not ours(ctx, found.tags) or found.status not in MAKING:
        return None
    return in_progress(f"{found.identifier} {found.status}, made by an earlier run")


def _secret(ctx: Context, identifier: str) -> str | None:
    """ARN of the secret with a master password that RDS manages."""
    found = ctx.topology.find(identifier)
    return ctx.topology.traits(found).managed_secret if found is not None else None


def green_database(ctx: Context) -> DatabaseSpec:
    """Green as data: what blue has, another identifier, the copy, the new key."""
    blue = blue_instance(ctx)
    return DatabaseSpec(
        identifier=ctx.rotation.green,
        settings=ctx.topology.as_green(blue, ctx.memory.result(KeyResult).key_arn),
        snapshot_identifier=ctx.rotation.copy_snapshot,
        deletion_protection=blue.deletion_protection,
        tags=green_tags(ctx, blue),
    )


def green_tags(ctx: Context, blue: Deployment) -> dict[str, str]:
    """Green's tags: blue's, those of rotation.toml, and those by which the rotation knows its own."""
    return {**_foreign_tags(blue.tags), **ctx.env.config.tags, **ctx.rotation.tags}


def _foreign_tags(tags: object) -> dict[str, str]:
    pairs = dict(tags) if isinstance(tags, dict) else {}
    return {k: v for k, v in pairs.items() if not k.startswith(("rotator:", "aws:"))}


def keep_writes(ctx: Context) -> Undone:
    """Before a green that has served is deleted: a snapshot of it, so that writes made on it can be fetched.

    Words once it is there (empty: none is wanted). Raises Blocked where it failed.
    """
    cutover = ctx.memory.result(CutoverResult)
    if (
        not cutover.opened_at
        or cutover.returned
        or ctx.options.delete_snapshots
        or ctx.topology.find(ctx.rotation.green) is None
    ):
        return ""
    name = ctx.rotation.rolled_back_snapshot
    if ctx.topology.snapshot(name) is None and not _just_asked(ctx):
        ctx.topology.create_snapshot(ctx.rotation.green, name, {**ctx.env.config.tags, **ctx.rotation.tags})
        ctx.memory.note(GreenResult, lambda known: replace(known, kept_since=ctx.clock.now().isoformat()))
    seen = look(ctx, name, ctx.rotation.green)
    refused = f"Green's last snapshot {name} is not available, so green is not deleted."
    if seen.kind is Kind.CONFLICT:
        raise Blocked(refused, why=seen.reason, fix=seen.fix, code="snapshot-failed")
    if seen.kind is Kind.ABSENT:
        return replace(seen, reason=refused, fix="Run rollback again.", code="snapshot-failed")
    return f"; its data is kept in snapshot {name}" if seen.kind is Kind.SATISFIED else seen


def _just_asked(ctx: Context) -> bool:
    """Whether the snapshot was asked for a moment ago, so that RDS may not show it yet."""
    since = ctx.memory.result(GreenResult).kept_since
    return since is not None and ctx.clock.now() < datetime.fromisoformat(since) + SHOWN


def green_server_is_this_lineage(ctx: Context) -> bool:
    """Whether green's data carries this rotation's marker: the snapshot was taken after this rotation's fence."""
    green = server(ctx, ctx.rotation.green)
    return green is None or green.fence_state().rotation_id == ctx.rotation.identity
