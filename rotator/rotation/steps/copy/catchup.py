"""Catch up: green applies what blue has committed since the snapshot, and goes on doing so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.database.channel import Channel
from rotator.database.position import read_position
from rotator.journal.results import CatchUpResult, CutoverResult, SeedResult, need
from rotator.rotation.steps.channels import backward, check_retained, forward, size
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.keeping_up import link_down, lost, prove, refuse_stopped
from rotator.rotation.steps.cutover.outlived import refuse_serving
from rotator.rotation.steps.observation import Observation, absent, in_progress, satisfied
from rotator.rotation.steps.step import Step

CLOSE_BYTES = 16 << 20
CLOSE_SECONDS = 5.0
"""Caught up: no further behind than this."""
PATIENCE = timedelta(minutes=5)
"""So long a connection may be lost while green catches up; each run waits anew."""


class CatchUp(Step[CatchUpResult]):
    """Subscribe green to blue from the seed on, and wait until it is close behind."""

    name = "catch-up"
    records = CatchUpResult
    title = "Let green catch up"
    rechecked_until = CutoverResult.step
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when green is close behind; raises Blocked when applying has stopped at an error."""
        channel = forward(ctx)
        retained = check_retained(ctx, channel)
        if not ctx.memory.result(CatchUpResult).enabled:
            return absent("not subscribed yet")
        lag = channel.lag()
        if lag.stopped:
            return self._interrupted(ctx, channel)
        if ctx.memory.result(CatchUpResult).interrupted_at:
            ctx.memory.note(CatchUpResult, lambda known: replace(known, interrupted_at=None))
        if lag.seconds is not None and lag.seconds <= CLOSE_SECONDS and lag.bytes <= CLOSE_BYTES:
            return satisfied(
                replace(ctx.memory.result(CatchUpResult), lag_bytes=lag.bytes, lag_seconds=round(lag.seconds, 3))
            )
        behind = f"{size(lag.bytes)} behind" + (f", {lag.seconds:.0f} s" if lag.seconds is not None else "")
        first = ctx.memory.result(CatchUpResult).first_lag or lag.bytes or 1
        done = max(0.0, 1 - lag.bytes / first)
        return in_progress(f"{behind}; {size(retained)} of log are kept on blue", done)

    def act(self, ctx: Context) -> None:
        """Subscribe at the seed, then let it run."""
        channel = forward(ctx)
        channel.attach(read_position(need(ctx.memory.result(SeedResult).seed)))
        channel.start()
        behind = channel.lag().bytes
        ctx.memory.note(CatchUpResult, lambda known: replace(known, enabled=True, first_lag=behind))

    def verify(self, ctx: Context, result: CatchUpResult) -> CatchUpResult:
        """A marker written on blue arrives; green gets the slots from which the reverse replication will begin."""
        prove(ctx, forward(ctx), ctx.rotation.green)
        backward(ctx).retain()
        return replace(result, link=str(forward(ctx).encryption() or "not connected"))

    def undo(self, ctx: Context) -> str:
        """End the replication, as far as there is a green."""
        found = ctx.topology.find(ctx.rotation.green)
        if found is None or found.address is None:
            return ""
        refuse_serving(ctx, ctx.rotation.green, "Its replication stays as it is.")
        forward(ctx).detach()
        backward(ctx).release()
        return f"{ctx.rotation.green} no longer follows {ctx.rotation.blue}"

    def _interrupted(self, ctx: Context, channel: Channel) -> Observation:
        """Not followed at this moment: told apart by the log, and waited for when it heals by itself."""
        refuse_stopped(ctx, channel, ctx.rotation.green)
        since = ctx.memory.result(CatchUpResult).interrupted_at
        if since is None:
            ctx.memory.note(CatchUpResult, lambda known: replace(known, interrupted_at=ctx.clock.now().isoformat()))
        elif ctx.clock.now() - datetime.fromisoformat(since) > PATIENCE:
            ctx.memory.note(CatchUpResult, lambda known: replace(known, interrupted_at=None))  # the next run waits anew
            raise link_down(ctx, channel, ctx.rotation.green)
        return in_progress(f"waiting for the apply workers: {lost(ctx, channel, ctx.rotation.green)}")

    def words(self, result: CatchUpResult) -> str:
        how = f" ({result.link})" if result.link else ""
        return f"green follows blue, {size(result.lag_bytes or 0)} behind{how}"
