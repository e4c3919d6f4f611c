"""Whether one side follows the other: a lost connection heals by itself, a change that cannot be applied does not."""

from __future__ import annotations

from rotator.database.channel import Channel
from rotator.database.replication import Worker
from rotator.domain.errors import Blocked, DatabaseError, RotatorError
from rotator.journal.results import CatchUpResult, CutoverResult, ReverseReplicationResult
from rotator.rotation.steps.channels import backward, forward, log_tail
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.past_fence import by_hand, without_way_back

PROOF_SECONDS = 240.0
"""A cut of a minute that nobody was told of takes twice that until both sides notice it, and reconnect."""
ATTEMPT_SECONDS = 15.0
"""After so long without an arrival the log is looked at: a change that cannot be applied need not be waited for."""


def prove(ctx: Context, channel: Channel, target: str, seconds: float = PROOF_SECONDS) -> None:
    """Return once `target` has all that was committed on the other side; a connection that heals is ridden out.

    Raises Blocked 'apply-stopped' for a change that cannot be applied, 'link-down' when no connection comes back.
    """
    channel.resume()
    deadline = ctx.clock.monotonic() + seconds
    while True:
        try:
            channel.catch_up(min(ATTEMPT_SECONDS, seconds))
        except DatabaseError as fault:
            if fault.code != "window-drain":
                raise
            refuse_stopped(ctx, channel, target)
            if ctx.clock.monotonic() >= deadline:
                raise link_down(ctx, channel, target) from fault
            ctx.progress(None, f"waiting for {target} to catch up: {lost(ctx, channel, target)}")
        else:
            return


def refuse_stopped(ctx: Context, channel: Channel, target: str) -> None:
    """Raise Blocked when a change could not be applied. Until somebody has looked, green does not try it again.

    Blue does, in the soak: no run would be there to enable it again after the repair.
    """
    log = log_tail(ctx, target)
    errors = channel.apply_errors(log)
    if errors and not all(worker.running for worker in channel.workers()):
        if target == ctx.rotation.green:
            channel.stop()
        at_blue = target == ctx.rotation.blue
        other = without_way_back(ctx) if at_blue else f"Else: rotator rollback {ctx.env.name}, then rotate again."
        raise Blocked(
            f"A change could not be applied on {target}.",
            why=f"The log of {target} has the error with the row's key; here are the table and what kind it is.",
            fix=f"If you can correct it on {target} (a row, a grant, a column), do so past the fence as below, and run "
            f"the same command again: it is then tried again. {other}",
            details=(*errors, *by_hand(target)),
            on_terminal=channel.apply_keys(log),
            code="apply-stopped",
        )


def link_down(ctx: Context, channel: Channel, target: str) -> Blocked:
    """The error for a connection that does not come back."""
    return Blocked(
        f"{target} does not reach the other side, and does not catch up.",
        why=lost(ctx, channel, target),
        fix="It is tried again by itself. Make the connection possible (security group, pg_hba, sslmode, a server that "
        "is up), then run the same command again. Meanwhile the other side keeps its log.",
        code="link-down",
    )


def lost(ctx: Context, channel: Channel, target: str) -> str:
    """What is known of a connection that is lost, in words."""
    errors = channel.connection_errors(log_tail(ctx, target))
    return errors[-1] if errors else "its connection is interrupted; it is tried again by itself"


def resume(ctx: Context) -> None:
    """Before a run goes on: what an error or an older version has switched off is tried again."""
    cutover = ctx.memory.result(CutoverResult).applied
    if ctx.topology.find(ctx.rotation.green) is None:
        return
    if ctx.memory.result(CatchUpResult).enabled and not cutover:
        forward(ctx).resume()
    elif ctx.memory.result(ReverseReplicationResult).opened and cutover:
        backward(ctx).resume()


def standing(ctx: Context, channel: Channel, target: str) -> tuple[str, ...]:
    """How `target` follows, a line for each database where it does not; changes nothing."""
    return tuple(
        _line(ctx, channel, target, worker) for worker in channel.workers() if worker.there and not worker.running
    )


def _line(ctx: Context, channel: Channel, target: str, worker: Worker) -> str:
    try:
        errors = channel.apply_errors(log_tail(ctx, target))
        if errors:
            return f"{target}: {worker.name} STOPPED at a change that cannot be applied: {errors[0]}"
        if not worker.enabled:
            return f"{target}: {worker.name} is switched off; rotate or rollback switch it on again"
        return f"{target}: {worker.name} has no connection, and tries again: {lost(ctx, channel, target)}"
    except RotatorError as fault:
        return f"{target}: {worker.name} does not run, and its log cannot be read: {fault.what}"
