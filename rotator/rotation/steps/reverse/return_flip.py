"""The record's flip back through the gate, and which side takes writes when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from rotator.domain.errors import Blocked, RotatorError, TerraformStateLocked
from rotator.domain.root import RootData, Stage
from rotator.journal.results import CutoverResult
from rotator.rotation.safety import Ahead, Move, Sides, judge, way
from rotator.rotation.steps.channels import carried_back
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.fence import open_writes
from rotator.rotation.steps.cutover.outlived import settle
from rotator.rotation.steps.cutover.sides import look
from rotator.rotation.steps.world import any_at, is_at, server


def flip_record_back(ctx: Context, after: RootData, decide: Callable[[], Literal[True]]) -> None:
    """Apply with the gate; `decide` shuts green. Raises what went wrong, with what became of green in its details."""
    green = server(ctx, ctx.rotation.green) if ctx.topology.find(ctx.rotation.green) is not None else None
    if green is not None and is_at(ctx, ctx.rotation.green) and not green.fence_state().on:
        # Whoever goes on after a kill knows by it that green was shut by us alone.
        ctx.memory.note(CutoverResult, lambda known: replace(known, returning=True))
    try:
        ctx.apply_through_gate(Stage.ROLLBACK_CUTOVER, after, decide)
    except TerraformStateLocked:
        raise  # an earlier apply is at work: whatever it does comes first
    except RotatorError as error:
        error.details = (*error.details, *_told(ctx))
        raise
    except (Exception, KeyboardInterrupt):
        _told(ctx)
        raise


def open_again(ctx: Context) -> None:
    """Before a rollback goes on: a killed one may have left green shut with the name still on it."""
    for words in _stay(ctx):
        ctx.progress(None, words)


def finish_opening(ctx: Context) -> None:
    """Blue takes writes in all its databases: a kill may have come between two of them."""
    blue = server(ctx, ctx.rotation.blue)
    if blue is None or not blue.fence_state().fenced_tables:
        return
    sides = _seen(ctx, blue_ahead=True)
    if not way(sides, Move.UNFENCE_BLUE):
        why = judge(sides).why_not[Move.UNFENCE_BLUE]
        raise Blocked(f"{ctx.rotation.blue} is not opened: {why}.", fix="Run it again.", code="fence-stays")
    open_writes(blue, busy=True)


def _seen(ctx: Context, *, blue_ahead: bool = False) -> Sides:
    """The sides, where nothing is on green alone. Raises why green cannot be looked at."""
    seen = look(ctx, Ahead.NO, blue_ahead=blue_ahead)
    if seen.fault is not None:
        raise seen.fault
    return seen.sides


def _told(ctx: Context) -> tuple[str, ...]:
    """Words; the first error stays the one that is raised. An apply that is still at work ends first."""
    try:
        settle(ctx)
        return _stay(ctx)
    except RotatorError as fault:
        return (f"{ctx.rotation.green} may still be shut: {fault.what} Run the same command again.",)


def _stay(ctx: Context) -> tuple[str, ...]:
    """Open green as long as the record points at it, and only once blue is shut (I2).

    A record change that was sent and timed out may still take effect: blue then refuses writes, and nothing is lost.
    Never once the window has been passed: blue has acknowledged writes since, which green would lack.
    """
    if not any_at(ctx, ctx.rotation.green):
        return ()
    if carried_back(ctx):
        finish_opening(ctx)
        return (_going_on(ctx),)
    if not ctx.memory.result(CutoverResult).returning or not is_at(ctx, ctx.rotation.green):
        return ()
    green, blue = server(ctx, ctx.rotation.green), server(ctx, ctx.rotation.blue)
    if green is None or blue is None:
        return ()
    moves = way(_seen(ctx), Move.OPEN_GREEN, {Move.SEAL_BLUE})
    if not moves:
        return ()
    if Move.SEAL_BLUE in moves:
        blue.fence(ctx.rotation.identity, ctx.env.config.rotation.fence_budget)
    left = open_writes(green, busy=True)
    ctx.memory.note(CutoverResult, lambda known: replace(known, returning=None))
    return (f"the record did not move: {ctx.rotation.green} takes writes again{left}",)


def _going_on(ctx: Context) -> str:
    """What holds until the record has moved, and how to move it."""
    name, blue = ctx.env.config.dns.record, ctx.rotation.blue
    return (
        f"{blue} holds everything and takes writes; {ctx.rotation.green} stays shut, so those whom {name} leads there "
        f"cannot write. At once: rotator rollback {ctx.env.name} moves the record. If that cannot be: set it to the "
        f"endpoint of {blue} by hand, then run that command"
    )
