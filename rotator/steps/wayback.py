"""The way back after the flip: the record returns to blue. With strategy snapshot, writes made on green stay behind."""

from __future__ import annotations

from dataclasses import replace

from rotator.errors import Blocked, WaitingForApproval
from rotator.model import Stage, WriteStats
from rotator.steps import edits
from rotator.steps.base import Context
from rotator.steps.world import instance, is_at, server


def flip_back(ctx: Context) -> str:
    """Shut green, flip the record to blue through the gate. Blue stays fenced until the fence step's undo.

    Raises WaitingForApproval when writes on green would be lost and the user has not agreed.
    """
    if is_at(ctx, ctx.rotation.blue):
        if ctx.data.serving != ctx.rotation.source or ctx.data.gate is not None:
            # The flip was staged but never happened: the data follows the world.
            ctx.memory.write_root(replace(edits.serving(ctx.data, ctx.rotation.source), gate=None))
        return ""
    if not ctx.options.lose_writes:
        raise WaitingForApproval(
            "Rolling back after the flip loses what was written on green since then.",
            why=lost_writes(ctx),
            fix=f"If that is acceptable: rotator rollback {ctx.env.name} --confirm {ctx.env.name}",
        )
    after = edits.serving(ctx.data, ctx.rotation.source)
    ctx.apply_through_gate(Stage.ROLLBACK_CUTOVER, after, lambda: _shut_green(ctx))
    if ctx.data.gate is not None:
        ctx.memory.write_root(replace(ctx.data, gate=None))
    green = server(ctx, ctx.rotation.green)
    if green is not None:
        green.end_clients()
    return f"{ctx.env.config.dns.record} points at {ctx.rotation.blue} again"


def lost_writes(ctx: Context) -> str:
    """What a flip back would lose, in words."""
    green = server(ctx, ctx.rotation.green)
    if green is None:
        return "The tool may not connect to green (database.access is none): how much is not known."
    return describe(green.write_stats())


def describe(stats: WriteStats) -> str:
    """Write statistics in words."""
    total = stats.inserted + stats.updated + stats.deleted
    if not total:
        return "Green's statistics show no write since it was restored; they may lag by some seconds."
    return (
        f"Green's statistics since it was restored: {stats.inserted:,} rows inserted, {stats.updated:,} updated, "
        f"{stats.deleted:,} deleted, in {', '.join(stats.tables[:8])}{' ...' if len(stats.tables) > 8 else ''}."
    )


def _shut_green(ctx: Context) -> bool:
    green, blue = server(ctx, ctx.rotation.green), server(ctx, ctx.rotation.blue)
    if green is None or blue is None:
        return True
    if not blue.fence_state().on:
        raise Blocked(
            f"{ctx.rotation.blue} is not fenced although green serves.",
            why="It may hold writes that green does not have; which of both is right is not for a tool to say.",
            fix=f"Compare {ctx.rotation.blue} and {instance(ctx, ctx.rotation.green).identifier} by hand first.",
            code="not-fenced",
        )
    green.fence(ctx.rotation.id, ctx.env.config.rotation.fence_budget)
    return True
