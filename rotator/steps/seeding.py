"""The snapshot between its sentinels, and the seed: the exact position up to which green holds blue's transactions."""

from __future__ import annotations

from rotator.database.replication import lsn, lsn_text
from rotator.database.seed import Bracket
from rotator.errors import Blocked
from rotator.steps.base import Context, Observation, Outputs, Step, absent, satisfied
from rotator.steps.links import forward, log_lines, watch
from rotator.steps.outlived import refuse_serving
from rotator.steps.snapshots import TakeSnapshot


class MarkedSnapshot(TakeSnapshot):
    """Snapshot blue while it takes writes, between two rows by which the snapshot can be told."""

    title = "Snapshot blue (writes go on)"

    def act(self, ctx: Context) -> None:
        """Write the row before it, then ask RDS for the snapshot."""
        link = forward(ctx)
        feeds = link.feeds()
        if feeds:
            raise Blocked(
                f"Subscriptions are enabled on {ctx.rotation.blue}: {', '.join(feeds)}.",
                why="Green's copy of them would take changes away from blue as soon as it starts.",
                fix="ALTER SUBSCRIPTION ... DISABLE each of them, then run rotate again.",
                code="subscription",
            )
        ctx.memory.note(self.name, low=lsn_text(link.mark("low")))
        super().act(ctx)

    def verify(self, ctx: Context, outputs: Outputs) -> Outputs:
        """Write the row after it."""
        return {**outputs, "high": lsn_text(forward(ctx).mark("high"))}


class Seed(Step):
    """Make green harmless, then find where its data ends, from at least two exact sources that agree."""

    name = "seed"
    title = "Find the seed position"
    rechecked_until = "catch-up"
    estimate_seconds = 5

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once it has been found."""
        noted = ctx.memory.outputs(self.name)
        return satisfied(**noted) if noted.get("seed") else absent("not found yet")

    def act(self, ctx: Context) -> None:
        """Quarantine, then decide; raises Blocked with every figure when the sources do not agree."""
        link = forward(ctx)
        refuse_serving(ctx, ctx.rotation.green, "It is not put in quarantine.")
        again = link.quarantine(ctx.env.config.rotation.fence_budget)
        quarantined = [*ctx.memory.outputs("green").get("quarantined", ()), *again]
        ctx.memory.note(self.name, imprint=link.imprint())
        watch(ctx, link)
        snapshot = ctx.memory.outputs("snapshot")
        confirmed = max(slot.confirmed for slot in link.slots())
        bracket = Bracket(confirmed, lsn(snapshot["low"]), lsn(snapshot["high"]))
        found = link.seed(log_lines(ctx, ctx.rotation.green), bracket)
        if found.position is None:
            raise Blocked(
                f"The seed of {ctx.rotation.green} is not certain: {found.problem}.",
                why="Replication from a wrong position would lose or double transactions.",
                fix=f"Nothing was applied. Keep the figures; rotator rollback {ctx.env.name}, then rotate again.",
                details=found.figures,
                code="seed",
            )
        ctx.memory.note(
            self.name,
            seed=lsn_text(found.position),
            sources=list(found.sources),
            figures=list(found.figures),
            quarantined=list(quarantined),
        )

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        removed = f"; quarantine: {'; '.join(outputs['quarantined'])}" if outputs["quarantined"] else ""
        return f"{outputs['seed']}, as {' and '.join(outputs['sources'])} say{removed}"
