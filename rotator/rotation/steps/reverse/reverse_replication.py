"""Reverse replication: after the flip of strategy replicate blue follows green, so that a rollback loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from rotator.database.position import read_position
from rotator.domain import root_edits as edits
from rotator.domain.errors import Blocked, RotatorError
from rotator.journal.results import CutoverResult, OpenResult, ReverseReplicationResult
from rotator.journal.results_retire import CloseWayBackResult
from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.channels import (
    backward,
    blue_alone,
    budgets,
    carried_back,
    forward,
    green_alone,
    green_may_hold_writes,
    reverse_closed,
)
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.keeping_up import prove
from rotator.rotation.steps.cutover.fence import open_writes, unfence
from rotator.rotation.steps.cutover.outlived import refuse_serving, refuse_two_open
from rotator.rotation.steps.cutover.past_fence import without_way_back
from rotator.rotation.steps.observation import Observation, absent, satisfied, skipped
from rotator.rotation.steps.reverse.flip_back import end_green_clients
from rotator.rotation.steps.reverse.return_flip import finish_opening, flip_record_back
from rotator.rotation.steps.reverse.untouched import shrink_back, untouched
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import is_at, server

APPROVAL = Approval.NO_WAY_BACK


class ReverseReplication(Step[ReverseReplicationResult]):
    """Turn the replication round: blue, still fenced, follows green until retire."""

    name = "way-back"
    records = ReverseReplicationResult
    title = "Start the reverse replication: blue follows green"
    rechecked_until = ReverseReplicationResult.step
    estimate_seconds = 5

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when a marker written on green has arrived on blue, and blue still follows."""
        if ctx.memory.result(ReverseReplicationResult).opened:
            return satisfied() if _follows(ctx) else absent(f"{ctx.rotation.blue} does not follow")
        if ctx.memory.result(ReverseReplicationResult).given_up:
            return skipped("by your decision: after the flip a rollback loses writes")
        return absent("not open yet")

    def act(self, ctx: Context) -> None:
        """Turn the replication round; or, when that was approved, end it."""
        if APPROVAL in ctx.options.approvals:
            forward(ctx).detach()
            forward(ctx).release()
            close_way_back(ctx)
            ctx.memory.note(ReverseReplicationResult, lambda known: replace(known, given_up=True))
        else:
            open_way_back(ctx)
        green = server(ctx, ctx.rotation.green)
        if green is not None:
            open_writes(green, busy=True)  # only idle triggers are left of its fence

    def undo(self, ctx: Context) -> str:
        """Blue follows green no longer."""
        refuse_serving(ctx, ctx.rotation.green, "The reverse replication goes on.")
        return close_way_back(ctx)

    def words(self, result: ReverseReplicationResult) -> str:
        return "what is written on green arrives on blue; rollback loses nothing until retire"


class CloseWayBack(Step[CloseWayBackResult]):
    """Before blue goes: end its subscription, and remove from green what the rotation made there."""

    name = "close-way-back"
    records = CloseWayBackResult
    title = "End the reverse replication"
    commits = "rollback after it loses what is written on green"
    rechecked_until = CloseWayBackResult.step
    estimate_seconds = 3

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once closed, and no slot is left on green."""
        closed = ctx.memory.result(CloseWayBackResult).closed and not green_alone(ctx).retention()
        return satisfied() if closed else absent("blue follows green")

    def act(self, ctx: Context) -> None:
        """Blue's subscription, then slots, publications, login and record on both; identities put back on green."""
        full = ctx.memory.result(OpenResult).full or {}
        close_way_back(ctx)
        if ctx.topology.find(ctx.rotation.blue) is not None:
            forward(ctx).close(full)
        green_alone(ctx).close(full)
        ctx.memory.note(CloseWayBackResult, lambda known: replace(known, closed=True))

    def words(self, result: CloseWayBackResult) -> str:
        return "blue no longer follows green"


def _follows(ctx: Context) -> bool:
    """Whether blue's subscriptions are there, and their slots on green."""
    channel = backward(ctx)
    kept = channel.retention()
    return bool(kept) and not any(each.lost for each in kept) and all(each.there for each in channel.workers())


def open_way_back(ctx: Context) -> None:
    """End green's subscription first: else it would get its own changes back. Then blue follows green. Idempotent."""
    # Before it is there: a rollback takes back what was begun.
    ctx.memory.note(ReverseReplicationResult, lambda known: replace(known, begun=True))
    forward(ctx).detach()
    forward(ctx).release()
    channel = backward(ctx)
    if not channel.retention():
        raise Blocked(
            f"The slots for the reverse replication are not on {ctx.rotation.green}.",
            why="They were removed behind the journal's back: what was written since the flip cannot flow to blue.",
            fix="Green serves and is complete; a rollback would lose writes. " + without_way_back(ctx),
            code="way-back",
        )
    positions = ctx.memory.result(CutoverResult).back or {}
    channel.attach({name: read_position(text) for name, text in positions.items()} or None)
    channel.start()
    prove(ctx, channel, ctx.rotation.blue)
    ctx.memory.note(ReverseReplicationResult, lambda known: replace(known, opened=True))


def close_way_back(ctx: Context) -> str:
    """End blue's subscription and remove its slots on green; idempotent, and whichever of the two is gone."""
    if ctx.topology.find(ctx.rotation.blue) is not None:
        blue_alone(ctx, back=True).detach()
    if ctx.topology.find(ctx.rotation.green) is None:
        return ""
    return "; ".join(green_alone(ctx).release())


def flip_back_without_loss(ctx: Context) -> str:
    """The same window the other way round; empty when what is on green cannot be carried back.

    A name that points at blue is no proof that green holds nothing: somebody may have put it there by hand. With the
    user's consent to lose writes (`--confirm`), a reverse replication that fails gives way.
    """
    at_blue, carried = is_at(ctx, ctx.rotation.blue), carried_back(ctx)
    if not green_may_hold_writes(ctx) and (at_blue or not carried):
        _follow_the_world(ctx)
        return unfence(ctx)
    try:
        if carried:
            _flip_record(ctx, lambda: _finished(ctx))
        else:
            if not ctx.memory.result(ReverseReplicationResult).opened and backward(ctx).retention():
                open_way_back(ctx)
            if reverse_closed(ctx):
                return ""
            _carry_back(ctx, at_blue=at_blue)
    except RotatorError:
        if ctx.options.lose_writes and is_at(ctx, ctx.rotation.blue) is at_blue and not carried_back(ctx):
            return ""
        raise
    ctx.memory.note(CutoverResult, lambda known: replace(known, returned=True))
    left = end_green_clients(ctx)
    all_of_it = f"with all that was written on {ctx.rotation.green}"
    return f"{ctx.env.config.dns.record} points at {ctx.rotation.blue}, {all_of_it}{left}"


def _carry_back(ctx: Context, *, at_blue: bool) -> None:
    refuse_two_open(ctx)
    channel = backward(ctx)
    prove(ctx, channel, ctx.rotation.blue)
    imprint, unsettled = untouched(ctx, channel)

    def pass_window() -> Literal[True]:
        if carried_back(ctx):
            return _finished(ctx)
        if is_at(ctx, ctx.rotation.blue):
            # An earlier flip back, that was cut off, has come through since: what serves is not shut for another.
            if not green_may_hold_writes(ctx):
                return True
            refuse_two_open(ctx)
        left = shrink_back(ctx, channel, unsettled)
        with channel.window(budgets(ctx), left, retain_back=False, imprint=imprint) as window:
            window.prepare(lambda _, text: ctx.progress(None, text), lambda: None)
            window.run()
        ctx.memory.note(CutoverResult, lambda known: replace(known, carried_back=True))
        return True

    if at_blue:
        pass_window()
        _follow_the_world(ctx)
    else:
        _flip_record(ctx, pass_window)


def _flip_record(ctx: Context, decide: Callable[[], Literal[True]]) -> None:
    flip_record_back(ctx, edits.serving(ctx.data, ctx.rotation.source), decide)
    _follow_the_world(ctx)


def _finished(ctx: Context) -> Literal[True]:
    """An earlier run was cut off after the window: only the record is left to do."""
    finish_opening(ctx)
    return True


def _follow_the_world(ctx: Context) -> None:
    """The name points at blue: the data says so too, and has no gate any more."""
    if ctx.data.serving != ctx.rotation.source or ctx.data.gate is not None:
        ctx.memory.write_root(replace(edits.serving(ctx.data, ctx.rotation.source), gate=None))
