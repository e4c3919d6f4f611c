"""Catch up: green applies what blue has committed since the snapshot, and goes on doing so."""

from __future__ import annotations

from datetime import datetime, timedelta

from rotator.database.replication import Link, lsn
from rotator.steps.base import Context, Observation, Outputs, Step, absent, in_progress, satisfied
from rotator.steps.keeping_up import link_down, lost, prove, refuse_stopped
from rotator.steps.links import backward, forward, size, watch
from rotator.steps.outlived import refuse_serving

CLOSE_BYTES = 16 << 20
CLOSE_SECONDS = 5.0
"""Caught up: no further behind than this."""
PATIENCE = timedelta(minutes=5)
"""So long a connection may be lost while green catches up; each run waits anew."""


class CatchUp(Step):
    """Subscribe green to blue from the seed on, and wait until it is close behind."""

    name = "catch-up"
    title = "Let green catch up"
    rechecked_until = "cutover"
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when green is close behind; raises Blocked when applying has stopped at an error."""
        link = forward(ctx)
        retained = watch(ctx, link)
        if not ctx.memory.outputs(self.name).get("enabled"):
            return absent("not subscribed yet")
        lag = link.lag()
        if lag.stopped:
            return self._interrupted(ctx, link)
        if ctx.memory.outputs(self.name).get("interrupted_at"):
            ctx.memory.note(self.name, interrupted_at=None)
        if lag.seconds is not None and lag.seconds <= CLOSE_SECONDS and lag.bytes <= CLOSE_BYTES:
            return satisfied(lag_bytes=lag.bytes, lag_seconds=round(lag.seconds, 3))
        behind = f"{size(lag.bytes)} behind" + (f", {lag.seconds:.0f} s" if lag.seconds is not None else "")
        first = ctx.memory.outputs(self.name).get("first_lag") or lag.bytes or 1
        done = max(0.0, 1 - lag.bytes / first)
        return in_progress(f"{behind}; {size(retained)} of log are kept on blue", done)

    def act(self, ctx: Context) -> None:
        """Subscribe at the seed, then let it run."""
        link = forward(ctx)
        link.subscribe(lsn(ctx.memory.outputs("seed")["seed"]))
        link.enable()
        ctx.memory.note(self.name, enabled=True, first_lag=link.lag().bytes)

    def verify(self, ctx: Context, outputs: Outputs) -> Outputs:
        """A marker written on blue arrives; green gets the slots from which the way back will begin."""
        prove(ctx, forward(ctx), ctx.rotation.green)
        backward(ctx).open_slots()
        return {**outputs, "link": str(forward(ctx).encryption() or "not connected")}

    def undo(self, ctx: Context) -> str:
        """End the replication, as far as there is a green."""
        found = ctx.rds.instance(ctx.rotation.green)
        if found is None or found.address is None:
            return ""
        refuse_serving(ctx, ctx.rotation.green, "Its replication stays as it is.")
        forward(ctx).unsubscribe()
        backward(ctx).close_slots()
        return f"{ctx.rotation.green} no longer follows {ctx.rotation.blue}"

    def _interrupted(self, ctx: Context, link: Link) -> Observation:
        """Not followed at this moment: told apart by the log, and waited for when it heals by itself."""
        refuse_stopped(ctx, link, ctx.rotation.green)
        since = ctx.memory.outputs(self.name).get("interrupted_at")
        if since is None:
            ctx.memory.note(self.name, interrupted_at=ctx.clock.now().isoformat())
        elif ctx.clock.now() - datetime.fromisoformat(since) > PATIENCE:
            ctx.memory.note(self.name, interrupted_at=None)  # the next run waits anew
            raise link_down(ctx, link, ctx.rotation.green)
        return in_progress(f"waiting for the apply workers: {lost(ctx, link, ctx.rotation.green)}")

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        how = f" ({outputs['link']})" if outputs.get("link") else ""
        return f"green follows blue, {size(outputs['lag_bytes'])} behind{how}"
