"""What a killed run may have left at work: an apply that outlives its driver may flip the record yet."""

from __future__ import annotations

from rotator.domain.errors import Blocked
from rotator.rotation.safety import Ahead, both_may_write
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.sides import look
from rotator.rotation.steps.world import any_at, targets

SENT_SECONDS = 3.0
"""How long a record change that was sent before its sender died may still take to be accepted."""


def settle(ctx: Context) -> None:
    """Before anything is decided from where the record points: no earlier apply is alive, and what it sent has arrived.

    A stage is noted before it is applied, and forgotten after it: without one, nothing can be under way.
    """
    pending, root = ctx.memory.pending(), ctx.memory.root()
    if pending is None:
        return
    ctx.progress(None, "waiting for an apply of an earlier run")
    ctx.stages.settle()
    if root is None or pending.serving == root.serving:
        return
    before = targets(ctx)
    ctx.clock.wait(SENT_SECONDS)
    while (now := targets(ctx)) != before:
        before = now
        ctx.clock.wait(SENT_SECONDS)


def refuse_serving(ctx: Context, identifier: str, what: str) -> None:
    """Raise Blocked when the record points at an instance to which something is about to be done."""
    if any_at(ctx, identifier):
        raise Blocked(
            f"{identifier} serves: {ctx.env.config.dns.record} points at it. {what}",
            why="The journal says otherwise: it is older than what has happened, or the record was changed by hand.",
            fix=f"Get the journal of the run that flipped the record; look with: rotator status {ctx.env.name}",
            code="serving",
        )


def refuse_two_open(ctx: Context) -> None:
    """Raise Blocked when blue and green both take writes: the tool shuts neither, as it cannot know which is right."""
    if ctx.databases is None:
        return
    seen = look(ctx, Ahead.YES)
    if seen.fault is not None:
        raise seen.fault
    if not both_may_write(seen.sides):
        return
    raise Blocked(
        f"{ctx.rotation.blue} and {ctx.rotation.green} both take writes.",
        why="Both may hold writes that the other does not have; the tool cannot decide which is right.",
        fix=f"Compare {ctx.rotation.blue} and {ctx.rotation.green} by hand first; nothing was shut.",
        code="not-fenced",
    )
