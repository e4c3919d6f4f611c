"""Open: blue begins to keep its changes for green. Publications, then slots, then the row that proves their order."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.errors import Blocked
from rotator.journal.results import CutoverResult, OpenResult
from rotator.rotation.steps.channels import check_retained, forward
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.fence import unfence
from rotator.rotation.steps.observation import Observation, absent, conflict, satisfied
from rotator.rotation.steps.step import Step


class Open(Step[OpenResult]):
    """A login for the rotation, publications and slots on blue, the record of DDL. Writes go on."""

    name = "open"
    records = OpenResult
    title = "Open the replication on blue"
    rechecked_until = CutoverResult.step
    estimate_seconds = 5

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when every database has its slot, and none is lost."""
        noted = ctx.memory.result(OpenResult)
        kept = forward(ctx).retention()
        lost = [each.name for each in kept if each.lost]
        if lost:
            return conflict(
                f"the slot {', '.join(lost)} is lost: its WAL has been removed (max_slot_wal_keep_size).",
                f"Take this rotation back (rotator rollback {ctx.env.name}), then rotate again.",
            )
        if not noted.databases or len(kept) != len(noted.databases):
            return absent(f"{len(kept)} slots on {ctx.rotation.blue}")
        return satisfied(noted)

    def act(self, ctx: Context) -> None:
        """Note which tables get another identity before they do, then open."""
        channel = forward(ctx)
        allowed = ctx.env.config.rotation.replica_identity_full
        known = ctx.memory.result(OpenResult).full or {}
        full = {**channel.weak_tables(), **known} if allowed else {}
        ctx.memory.note(OpenResult, lambda noted: replace(noted, full=full))
        opened = channel.open(strengthen=allowed, progress=ctx.progress)
        ctx.memory.note(
            OpenResult, lambda known: replace(known, databases=tuple(opened.databases), tables=opened.tables)
        )

    def verify(self, ctx: Context, result: OpenResult) -> OpenResult:
        """Keep where the slots stand."""
        check_retained(ctx, forward(ctx))
        return result

    def undo(self, ctx: Context) -> str:
        """Remove slots, publications and all else that was made on blue; blue takes writes."""
        if ctx.topology.find(ctx.rotation.blue) is None:
            raise Blocked(f"{ctx.rotation.blue} is gone.", fix="Nothing can be taken back.", code="no-such-database")
        opened = unfence(ctx)
        words = forward(ctx).close(ctx.memory.result(OpenResult).full or {})
        return "; ".join((opened, *words))

    def words(self, result: OpenResult) -> str:
        full = result.full or {}
        more = f"; {len(full)} with REPLICA IDENTITY FULL for now" if full else ""
        return f"{result.tables} tables in {', '.join(result.databases or ())} are published, slots are held{more}"
