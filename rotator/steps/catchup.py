"""Catch up: green applies what blue has committed since the snapshot, and goes on doing so."""

from __future__ import annotations

from rotator.database.replication import lsn
from rotator.errors import Blocked
from rotator.steps.base import Context, Observation, Outputs, Step, absent, in_progress, satisfied
from rotator.steps.links import backward, forward, log_tail, size, watch
from rotator.steps.outlived import refuse_serving

CLOSE_BYTES = 16 << 20
CLOSE_SECONDS = 5.0
"""Caught up: no further behind than this."""
PROOF_SECONDS = 60.0


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
            self._look_for_errors(ctx, lag.stopped)
            return in_progress("waiting for the apply workers")
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
        forward(ctx).catch_up(PROOF_SECONDS)
        backward(ctx).open_slots()
        return outputs

    def undo(self, ctx: Context) -> str:
        """End the replication, as far as there is a green."""
        found = ctx.rds.instance(ctx.rotation.green)
        if found is None or found.address is None:
            return ""
        refuse_serving(ctx, ctx.rotation.green, "Its replication stays as it is.")
        forward(ctx).unsubscribe()
        backward(ctx).close_slots()
        return f"{ctx.rotation.green} no longer follows {ctx.rotation.blue}"

    def _look_for_errors(self, ctx: Context, stopped: tuple[str, ...]) -> None:
        errors = forward(ctx).apply_errors(log_tail(ctx, ctx.rotation.green))
        if errors:
            raise Blocked(
                f"Applying blue's changes on {ctx.rotation.green} has stopped ({', '.join(stopped)}).",
                why="Green's log names the error, the table and the row's key.",
                fix=f"If it can be mended on green (a grant, a column), mend it, enable the subscription and run "
                f"rotate again; else: rotator rollback {ctx.env.name}, then rotate again.",
                details=errors,
                code="apply-stopped",
            )

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        return f"green follows blue, {size(outputs['lag_bytes'])} behind"
