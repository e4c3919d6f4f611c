"""Rollback after the flip: the record returns to blue. With strategy snapshot, writes made on green stay behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rotator.database.interface import DatabaseServer
from rotator.domain import root_edits as edits
from rotator.domain.database import WriteStats
from rotator.domain.errors import Blocked, WaitingForApproval
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult, ReverseReplicationResult
from rotator.rotation.safety import Ahead, Move, way
from rotator.rotation.steps.channels import backward, green_may_hold_writes, reverse_closed
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.fence import APPROVAL
from rotator.rotation.steps.cutover.outlived import refuse_two_open
from rotator.rotation.steps.cutover.sides import look
from rotator.rotation.steps.reverse.return_flip import flip_record_back
from rotator.rotation.steps.world import is_at, server


def refuse_unasked(ctx: Context) -> None:
    """Raise WaitingForApproval when green has been opened and the user has not agreed to lose what was written there.

    Changes nothing. Where the tool may not connect, the writers on green must have been stopped by hand as well.
    """
    if not ctx.memory.result(CutoverResult).opened_at or ctx.memory.result(CutoverResult).returned:
        return
    closed = ""
    if ctx.rotation.strategy is Strategy.REPLICATE:
        if not green_may_hold_writes(ctx):
            return
        closed = reverse_closed(ctx)
        if not closed or (not ctx.memory.result(ReverseReplicationResult).opened and backward(ctx).retention()):
            return
        closed = f" A rollback without a loss is not possible: {closed}."
    name = ctx.env.name
    if not ctx.options.lose_writes:
        raise WaitingForApproval(
            "Rolling back after the flip loses what was written on green since then.",
            why=f"{lost_writes(ctx)}{closed} {_last_copy(ctx)}".rstrip(),
            fix=f"If that is acceptable: rotator rollback {name} --confirm {name}",
        )
    if ctx.databases is None and APPROVAL not in ctx.options.approvals and not is_at(ctx, ctx.rotation.blue):
        raise WaitingForApproval(
            f'database.access is "none", so you must stop all writes to {ctx.rotation.green} yourself.',
            why="Else green would take writes while the name already leads to blue.",
            fix=f"Stop the writers, then: rotator rollback {name} --confirm {name} --approve {APPROVAL}",
        )


def _last_copy(ctx: Context) -> str:
    if ctx.topology.find(ctx.rotation.green) is None:
        return ""
    if ctx.options.delete_snapshots:
        return "With --delete-snapshots no snapshot of green is kept: those writes are gone for good."
    return (
        f"A snapshot of green is kept ({ctx.rotation.rolled_back_snapshot}), from which they can be fetched; "
        "not with --delete-snapshots."
    )


def flip_back(ctx: Context) -> str:
    """Shut green, flip the record to blue through the gate. Blue stays fenced until the fence step's undo."""
    refuse_unasked(ctx)
    if is_at(ctx, ctx.rotation.blue):
        if ctx.data.serving != ctx.rotation.source or ctx.data.gate is not None:
            # The flip was staged but never happened: the data follows the world.
            ctx.memory.write_root(replace(edits.serving(ctx.data, ctx.rotation.source), gate=None))
        return ""
    after = edits.serving(ctx.data, ctx.rotation.source)
    if ctx.topology.find(ctx.rotation.green) is None:
        # Green does not exist any more: the plan must not make it anew.
        after = edits.with_generation(after, ctx.rotation.target, database=None)
    flip_record_back(ctx, after, lambda: _shut_green(ctx))
    if ctx.data.gate is not None:
        ctx.memory.write_root(replace(ctx.data, gate=None))
    return f"{ctx.env.config.dns.record} points at {ctx.rotation.blue} again{end_green_clients(ctx)}"


def end_green_clients(ctx: Context) -> str:
    """End the connections that green still has; words where some are left, else empty."""
    green = _green(ctx)
    left = green.end_clients().left if green is not None else 0
    return f"; {left} connections to {ctx.rotation.green} could not be ended: their writes are refused" if left else ""


def _green(ctx: Context) -> DatabaseServer | None:
    """Green's server; None where the tool may not connect, or green is gone."""
    return server(ctx, ctx.rotation.green) if ctx.topology.find(ctx.rotation.green) is not None else None


def lost_writes(ctx: Context) -> str:
    """What a flip back would lose, in words."""
    if ctx.topology.find(ctx.rotation.green) is None:
        return f"{ctx.rotation.green} does not exist any more: what was written on it is gone already."
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


def _shut_green(ctx: Context) -> Literal[True]:
    green, blue = _green(ctx), server(ctx, ctx.rotation.blue)
    if blue is None:
        return True
    if is_at(ctx, ctx.rotation.blue):
        # An earlier flip back, that was cut off, has come through since.
        refuse_two_open(ctx)
    else:
        _refuse_open_blue(ctx)
    if green is not None:
        green.fence(ctx.rotation.identity, ctx.env.config.rotation.fence_budget)
        if ctx.rotation.strategy is Strategy.REPLICATE:
            # Blue has followed green for a while: its rows are ahead of its own sequences.
            blue.raise_counters(green.counters())
    return True


def _refuse_open_blue(ctx: Context) -> None:
    """Green's writes are given up by a person's word; what blue may have taken beside them is not covered by it."""
    seen = look(ctx, Ahead.GIVEN_UP)
    if seen.fault is not None:
        raise seen.fault
    if not way(seen.sides, Move.FLIP_TO_BLUE, {Move.SHUT_GREEN}):
        raise Blocked(
            f"{ctx.rotation.blue} is not fenced although green serves.",
            why="It may hold writes that green does not have; which of both is right is not for a tool to say.",
            fix=f"Compare {ctx.rotation.blue} and {ctx.rotation.green} by hand, save what only one of them has; when "
            f"{ctx.rotation.blue} takes no more writes: rotator rollback {ctx.env.name}",
            code="not-fenced",
        )
