"""The snapshot between its sentinels, and the seed: the exact position up to which green holds blue's transactions."""

from __future__ import annotations

from dataclasses import replace

from rotator.database.position import read_position
from rotator.database.seed import Bracket
from rotator.domain.errors import Blocked
from rotator.journal.results import GreenResult, SeedResult, SnapshotResult, need
from rotator.rotation.steps.channels import check_retained, forward, log_lines
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.snapshots import TakeSnapshot
from rotator.rotation.steps.cutover.outlived import refuse_serving
from rotator.rotation.steps.observation import Observation, absent, satisfied
from rotator.rotation.steps.step import Step


class MarkedSnapshot(TakeSnapshot):
    """Snapshot blue while it takes writes, between two rows by which the snapshot can be told."""

    title = "Snapshot blue (writes go on)"

    def act(self, ctx: Context) -> None:
        """Write the row before it, then ask RDS for the snapshot."""
        channel = forward(ctx)
        foreign = channel.foreign_channels()
        if foreign:
            raise Blocked(
                f"Subscriptions are enabled on {ctx.rotation.blue}: {', '.join(foreign)}.",
                why="Green's copy of them would consume changes meant for blue as soon as green starts.",
                fix="ALTER SUBSCRIPTION ... DISABLE each of them, then run rotate again.",
                code="subscription",
            )
        low = str(channel.mark("low"))
        ctx.memory.note(SnapshotResult, lambda known: replace(known, low=low))
        super().act(ctx)

    def verify(self, ctx: Context, result: SnapshotResult) -> SnapshotResult:
        """Write the row after it."""
        return replace(result, high=str(forward(ctx).mark("high")))


class FindSeed(Step[SeedResult]):
    """Make green harmless, then find where its data ends, from at least two exact sources that agree."""

    name = "seed"
    records = SeedResult
    title = "Find the seed position"
    once = True
    estimate_seconds = 5

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once it has been found."""
        noted = ctx.memory.result(SeedResult)
        return satisfied(noted) if noted.seed else absent("not found yet")

    def act(self, ctx: Context) -> None:
        """Quarantine, then decide; raises Blocked with every figure when the sources do not agree."""
        channel = forward(ctx)
        refuse_serving(ctx, ctx.rotation.green, "It is not put in quarantine.")
        again = channel.quarantine(ctx.env.config.rotation.fence_budget)
        quarantined = [*(ctx.memory.result(GreenResult).quarantined or ()), *again]
        imprint = channel.imprint()
        ctx.memory.note(SeedResult, lambda known: replace(known, imprint=imprint))
        check_retained(ctx, channel)
        snapshot = ctx.memory.result(SnapshotResult)
        bracket = Bracket(read_position(need(snapshot.low)), read_position(need(snapshot.high)))
        found = channel.seed(log_lines(ctx, ctx.rotation.green), bracket)
        if found.position is None:
            raise Blocked(
                f"The seed of {ctx.rotation.green} is not certain: {found.problem}.",
                why="Replication from a wrong position would lose or double transactions.",
                fix=f"Nothing was applied. Keep the figures; rotator rollback {ctx.env.name}, then rotate again.",
                details=found.figures,
                code="seed",
            )
        position = str(found.position)
        ctx.memory.note(
            SeedResult,
            lambda known: replace(
                known,
                seed=position,
                sources=tuple(found.sources),
                figures=tuple(found.figures),
                quarantined=tuple(quarantined),
            ),
        )

    def words(self, result: SeedResult) -> str:
        removed = f"; quarantine: {'; '.join(result.quarantined)}" if result.quarantined else ""
        return f"{result.seed}, as {' and '.join(result.sources or ())} say{removed}"
