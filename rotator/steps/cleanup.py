"""Leave blue as it was found: nothing of the tool stays behind on a database that it has left."""

from __future__ import annotations

from rotator.errors import DatabaseError
from rotator.model import Strategy
from rotator.steps.base import Context, Observation, Outputs, Step, absent, satisfied, skipped
from rotator.steps.links import blue_alone
from rotator.steps.world import server

PATIENCE_SECONDS = 120.0
BETWEEN_SECONDS = 5.0
"""Long readers hold tables; their triggers are taken off when they have ended, not in spite of them."""


class CleanUp(Step):
    """After a rollback: what idle triggers, tables and replication of this rotation are left on blue."""

    name = "clean-up"
    title = "Leave nothing behind on blue"
    estimate_seconds = 2

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once it has been looked for; what could not be removed is in the outputs."""
        blue = server(ctx, ctx.rotation.blue)
        if blue is None or not _touched(ctx):
            return skipped("nothing was made inside the database")
        noted = ctx.memory.outputs(self.name)
        return satisfied(**noted) if "left" in noted else absent("not looked for yet")

    def act(self, ctx: Context) -> None:
        """Remove it, table by table as their readers allow, for as long as the patience lasts."""
        ctx.memory.note(self.name, left=list(clean(ctx, PATIENCE_SECONDS)))

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        left = outputs["left"]
        return f"idle triggers are left on {', '.join(left)}" if left else "nothing is left"


def _touched(ctx: Context) -> bool:
    """Whether the rotation has come to making something in the database."""
    return any(ctx.memory.outputs(step) for step in ("open", "fence"))


def clean(ctx: Context, patience: float) -> tuple[str, ...]:
    """Remove replication, fence and schema of this rotation from blue; the tables that keep an idle trigger.

    A schema whose marker is another rotation's is left alone.
    """
    blue = server(ctx, ctx.rotation.blue)
    if ctx.rotation.strategy is Strategy.REPLICATE:
        sweep(ctx)
    deadline = ctx.clock.monotonic() + patience
    while blue is not None and blue.fence_state().rotation_id in (None, ctx.rotation.identity):
        try:
            blue.forget(busy=True)
        except DatabaseError as fault:
            if fault.code != "fence-leftovers":
                raise
            if ctx.clock.monotonic() >= deadline:
                return fault.details
            ctx.progress(None, f"{len(fault.details)} tables are being read; their idle triggers go when that ends")
            ctx.clock.wait(BETWEEN_SECONDS)
        else:
            break
    return ()


def sweep(ctx: Context) -> None:
    """Subscriptions of both directions, slots, publications and login of this rotation, on blue; idempotent."""
    blue_alone(ctx, back=True).unsubscribe()
    forward = blue_alone(ctx)
    forward.unsubscribe()
    forward.close(ctx.memory.outputs("open").get("full", {}))
