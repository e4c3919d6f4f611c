"""Leave blue as it was found: nothing of the tool stays behind on a database that it has left."""

from __future__ import annotations

from dataclasses import replace

from rotator.database.interface import DatabaseServer
from rotator.domain.errors import DatabaseError
from rotator.domain.rotation import Strategy
from rotator.journal.results import FenceResult, OpenResult
from rotator.journal.results_retire import CleanUpResult
from rotator.rotation.steps.channels import blue_alone
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, satisfied, skipped
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import server

PATIENCE_SECONDS = 120.0
BETWEEN_SECONDS = 5.0
"""Long readers hold tables; their triggers are taken off when they have ended, not in spite of them."""
LONGEST_WAITS = 10
"""A table that is in use without a break is had by waiting a little longer for it (200 ms at most)."""


class CleanUp(Step[CleanUpResult]):
    """After a rollback: what idle triggers, tables and replication of this rotation are left on blue."""

    name = "clean-up"
    records = CleanUpResult
    title = "Leave nothing behind on blue"
    once = True
    estimate_seconds = 2

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once it has been looked for; what could not be removed is in its result."""
        blue = server(ctx, ctx.rotation.blue)
        if blue is None or not _touched(ctx):
            return skipped("nothing was made inside the database")
        noted = ctx.memory.result(CleanUpResult)
        return satisfied(noted) if noted.left is not None else absent("not looked for yet")

    def act(self, ctx: Context) -> None:
        """Remove it, table by table as their readers allow, for as long as the patience lasts."""
        left = clean(ctx, PATIENCE_SECONDS)
        ctx.memory.note(CleanUpResult, lambda known: replace(known, left=left))

    def words(self, result: CleanUpResult) -> str:
        left = result.left
        return f"idle triggers are left on {', '.join(left)}" if left else "nothing is left"


def _touched(ctx: Context) -> bool:
    """Whether the rotation has come to making something in the database."""
    return not (ctx.memory.result(OpenResult).empty and ctx.memory.result(FenceResult).empty)


def clean(ctx: Context, patience: float) -> tuple[str, ...]:
    """Remove replication, fence and schema of this rotation from blue; the tables that keep an idle trigger."""
    blue = server(ctx, ctx.rotation.blue)
    if ctx.rotation.strategy is Strategy.REPLICATE:
        sweep(ctx)
    left = forget(ctx, blue, patience) if blue is not None else None
    return left.details if left else ()


def forget(ctx: Context, serving: DatabaseServer, patience: float = PATIENCE_SECONDS) -> DatabaseError | None:
    """Take fence and schema of this rotation from a server with clients at work; what is left after `patience` seconds.

    A schema whose marker is another rotation's is left alone.
    """
    deadline = ctx.clock.monotonic() + patience
    waits = 1
    while serving.fence_state().rotation_id in (None, ctx.rotation.identity):
        try:
            serving.forget(waits=waits)
        except DatabaseError as fault:
            if fault.code != "fence-leftovers":
                raise
            if ctx.clock.monotonic() >= deadline:
                return fault
            ctx.progress(None, f"{len(fault.details)} tables are in use; their idle triggers go when that ends")
            ctx.clock.wait(BETWEEN_SECONDS)
            waits = min(2 * waits, LONGEST_WAITS)
        else:
            break
    return None


def sweep(ctx: Context) -> None:
    """Subscriptions of both directions, slots, publications and login of this rotation, on blue; idempotent."""
    blue_alone(ctx, back=True).detach()
    forward = blue_alone(ctx)
    forward.detach()
    forward.close(ctx.memory.result(OpenResult).full or {})
