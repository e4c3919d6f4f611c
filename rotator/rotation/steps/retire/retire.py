"""Retire, first half: blue's final snapshot, re-encrypted under the new key and verified; then blue goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rotator.domain import root_edits as edits
from rotator.domain.errors import Blocked
from rotator.domain.root import Stage
from rotator.journal.results import CutoverResult, KeyResult, SoakResult, need
from rotator.journal.results_retire import (
    CloseWayBackResult,
    FinalReencryptResult,
    FinalSnapshotResult,
    RetireCheckResult,
    RetireDatabaseResult,
    UnprotectResult,
)
from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.channels import backward
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.snapshots import look, source
from rotator.rotation.steps.observation import (
    Kind,
    Observation,
    absent,
    conflict,
    in_progress,
    needs_approval,
    satisfied,
)
from rotator.rotation.steps.prepare import records
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import elsewhere, is_at, server


class RetireCheck(Step[RetireCheckResult]):
    """The soak is over, green serves, and blue has taken no write since the flip."""

    name = "retire-check"
    records = RetireCheckResult
    title = "Check that blue may go"
    rechecked_until = RetireDatabaseResult.step
    estimate_seconds = 3

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when blue may go; raises Blocked while the soak lasts."""
        until = datetime.fromisoformat(need(ctx.memory.result(SoakResult).until))
        if ctx.clock.now() < until:
            raise Blocked(
                f"The soak lasts until {until.isoformat(' ', 'seconds')}.",
                why="Until then a rollback returns to blue.",
                fix=f"Run rotator retire {ctx.env.name} later, or shorten [rotation] soak before the next rotation.",
                code="soak-not-over",
            )
        serving = ctx.data.generations[ctx.data.serving].database
        if serving is None or serving.identifier == ctx.rotation.blue or not is_at(ctx, serving.identifier):
            away = elsewhere(ctx, serving.identifier) if serving is not None else ()
            return conflict(
                f"{', '.join(away) or ctx.env.config.dns.record}: that is not what the journal calls serving.",
                "Put the record right first: only what does not serve may be retired.",
            )
        blue = server(ctx, ctx.rotation.blue) if ctx.topology.find(ctx.rotation.blue) else None
        if blue is not None and not blue.fence_state().on:
            return conflict(
                f"{ctx.rotation.blue} is no longer fenced: it may hold writes that green does not have.",
                "Compare it with green and save those writes; then fence it again by hand or delete it by hand.",
            )
        touched = () if blue is None else _touched(ctx)
        if touched and Approval.BLUE_TOUCHED not in ctx.options.approvals:
            blue_name = ctx.rotation.blue
            return needs_approval(
                f"somebody may have written on {blue_name} past its fence since the flip: {'; '.join(touched)}.",
                f"Compare them with {ctx.rotation.green}, and save what only {blue_name} has; then: "
                f"rotator retire {ctx.env.name} --approve {Approval.BLUE_TOUCHED}",
            )
        return satisfied(RetireCheckResult(left_behind=_left_behind(ctx)))

    def words(self, result: RetireCheckResult) -> str:
        left = result.left_behind
        return "soak over, green serves, blue fenced" + (f"; records that will dangle: {left}" if left else "")


def _touched(ctx: Context) -> tuple[str, ...]:
    """How blue differs from what it was when it was sealed, in words: its fence stands, but did it stand all the time?

    Nothing can be said where that was not noted, or once this rotation itself has changed blue for the last time.
    """
    sealed = ctx.memory.result(CutoverResult).imprint
    if not sealed or ctx.memory.began(CloseWayBackResult.step):
        return ()
    return backward(ctx).touched(sealed)


def _left_behind(ctx: Context) -> str | None:
    """Records that still name blue. Raises Blocked for those that lead clients there: soon that is nobody's name."""
    blue = ctx.topology.find(ctx.rotation.blue)
    if blue is None:
        return None
    found = records.at(ctx.dns, blue)
    if isinstance(found, records.NotListed):
        return f"not known ({found.what})"
    leading = tuple(each for each in found if each.kind in records.LEADING)
    if leading:
        raise Blocked(
            f"Records still lead to {blue.identifier}: {', '.join(map(records.words, leading))}.",
            why="Whoever uses them is refused by blue's fence today, and would find nothing once it is gone.",
            fix=f"Make each a CNAME to {ctx.env.config.dns.record}, or remove it; then run retire again.",
            code="records-at-blue",
        )
    return ", ".join(map(records.words, found)) if found else None


class FinalSnapshot(Step[FinalSnapshotResult]):
    """Blue's last snapshot, still under the old key."""

    name = "final-snapshot"
    records = FinalSnapshotResult
    title = "Take blue's final snapshot"
    rechecked_until = FinalReencryptResult.step
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when it is available."""
        return look(ctx, ctx.rotation.final_snapshot, ctx.rotation.blue, FinalSnapshotResult, made_here=True)

    def act(self, ctx: Context) -> None:
        """Ask RDS for it."""
        tags = {**ctx.env.config.tags, **ctx.rotation.tags}
        ctx.topology.create_snapshot(ctx.rotation.blue, ctx.rotation.final_snapshot, tags)

    def words(self, result: FinalSnapshotResult) -> str:
        return str(result.snapshot)


class FinalReencrypt(Step[FinalReencryptResult]):
    """The final snapshot's copy under the new key: what outlives the old key."""

    name = "final-reencrypt"
    records = FinalReencryptResult
    title = "Copy the final snapshot under the new key"
    rechecked_until = RetireDatabaseResult.step
    estimate_seconds = 60

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when it is available and its key, read back, is the new key."""
        return final_copy(ctx)

    def act(self, ctx: Context) -> None:
        """Ask RDS for the copy."""
        tags = {**ctx.env.config.tags, **ctx.rotation.tags}
        key = need(ctx.memory.result(KeyResult).key_arn)
        ctx.topology.copy_snapshot(source(ctx, ctx.rotation.final_snapshot), ctx.rotation.final_copy, key, tags)

    def words(self, result: FinalReencryptResult) -> str:
        return f"{result.snapshot}, key read back: {result.key_arn}"


class Unprotect(Step[UnprotectResult]):
    """Make blue deletable: only now, with the verified final copy at hand."""

    name = "unprotect"
    records = UnprotectResult
    title = "Lift blue's deletion protection"
    commits = "no rollback after it"
    rechecked_until = RetireDatabaseResult.step
    estimate_seconds = 100

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when neither RDS nor the data protects blue."""
        noted, blue = ctx.memory.result(UnprotectResult), ctx.topology.find(ctx.rotation.blue)
        generation = ctx.data.generations.get(ctx.rotation.source)
        if blue is None or generation is None or generation.database is None:
            return satisfied() if noted.applied else absent("blue is not there")
        meant = generation.database
        if ctx.midway(self.name) or meant.deletion_protection or not meant.skip_final_snapshot:
            return absent("blue is protected")
        if blue.deletion_protection:
            return conflict(
                f"{blue.identifier} is protected from deletion again, after this rotation had lifted that.",
                "Somebody wants it to stay: ask who. If it may go: aws rds modify-db-instance --no-deletion-protection "
                f"--db-instance-identifier {blue.identifier}, then: rotator retire {ctx.env.name}",
            )
        return satisfied(replace(noted, applied=True))

    def act(self, ctx: Context) -> None:
        """Apply."""
        delete = not ctx.env.config.retire.keep_automated_backups
        after = edits.unprotected(ctx.data, ctx.rotation.source, delete_automated_backups=delete)
        ctx.apply(Stage.UNPROTECT, after)
        ctx.memory.note(UnprotectResult, lambda known: replace(known, applied=True))

    def words(self, result: UnprotectResult) -> str:
        return "deletion protection off"


def final_copy(ctx: Context) -> Observation:
    """A look at blue's final snapshot under the new key."""
    key = need(ctx.memory.result(KeyResult).key_arn)
    return look(ctx, ctx.rotation.final_copy, ctx.rotation.blue, FinalReencryptResult, key)


def no_final_copy(ctx: Context, seen: Observation) -> Blocked:
    """The refusal to delete anything while blue's final copy is not there under the new key."""
    return Blocked(
        f"Nothing is deleted: the final copy {ctx.rotation.final_copy} is not there.",
        why=seen.reason or seen.detail,
        fix="Run retire again once it is available.",
        code="no-final-copy",
    )


class RetireDatabase(Step[RetireDatabaseResult]):
    """Delete blue through Terraform. The point of no return."""

    name = "retire-database"
    records = RetireDatabaseResult
    title = "Delete blue"
    commits = "blue is gone; its final snapshot stays"
    estimate_seconds = 80

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when RDS knows no such instance and the state does not hold it."""
        found = ctx.topology.find(ctx.rotation.blue)
        held = ctx.topology.address(ctx.rotation.source) in ctx.stages.state_addresses()
        if found is None and not held and not ctx.midway(self.name):
            return satisfied(RetireDatabaseResult(identifier=ctx.rotation.blue))
        if found is not None and found.status == "deleting" and not held:
            return in_progress(f"{found.identifier} deleting")
        return absent()

    def act(self, ctx: Context) -> None:
        """Prove the final copy once more, then apply."""
        copy = final_copy(ctx)
        if copy.kind is not Kind.SATISFIED:
            raise no_final_copy(ctx, copy)
        generation = ctx.data.generations.get(ctx.rotation.source)
        if generation is None:
            return
        data = edits.with_generation(ctx.data, ctx.rotation.source, database=None)
        if generation.key is None:
            data = edits.without_generation(ctx.data, ctx.rotation.source)
        ctx.apply(Stage.RETIRE_DATABASE, data)

    def words(self, result: RetireDatabaseResult) -> str:
        return f"{result.identifier} is gone"
