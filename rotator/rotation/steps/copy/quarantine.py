"""Green is shut from the moment it answers: it has blue's tables, jobs and logins, and serves nobody yet."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.errors import RotatorError
from rotator.domain.progress import Progress
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult, GreenResult, ReencryptResult, SeedResult
from rotator.rotation.steps.channels import forward
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import is_at, ours

BETWEEN_SECONDS = 5.0


def quarantine(ctx: Context) -> bool:
    """Make green harmless and shut it; False while it is not there, or is not to be touched. Idempotent.

    Raises what the database raises; what it has shut by then stays shut.
    """
    found = ctx.topology.find(ctx.rotation.green)
    if found is None or found.address is None or found.port is None or not ours(ctx, found.tags):
        return False
    if ctx.memory.result(CutoverResult).opened_at or is_at(ctx, ctx.rotation.green):
        return False  # it serves, or is about to
    done = forward(ctx).quarantine(ctx.env.config.rotation.fence_budget)
    ctx.memory.note(
        GreenResult, lambda known: replace(known, quarantined=tuple(dict.fromkeys([*(known.quarantined or ()), *done])))
    )
    return True


def wanted(ctx: Context) -> bool:
    """Whether there may be a green that has not been shut yet. With strategy snapshot it is born shut."""
    begun = not ctx.memory.result(ReencryptResult).empty
    return ctx.rotation.strategy is Strategy.REPLICATE and begun and not ctx.memory.result(SeedResult).seed


def at_once(ctx: Context) -> None:
    """First of all when a run goes on: a killed one may have left a green that answers, and is open."""
    if wanted(ctx):
        _try(ctx)


def while_it_is_made(ctx: Context) -> Progress:
    """Progress of the apply that makes green: it answers minutes before the apply has ended, and is shut then."""
    shut, last = False, ctx.clock.monotonic() - BETWEEN_SECONDS

    def progress(fraction: float | None, text: str) -> None:
        nonlocal shut, last
        ctx.progress(fraction, text)
        if not shut and ctx.clock.monotonic() - last >= BETWEEN_SECONDS:
            shut = _try(ctx)
            last = ctx.clock.monotonic()

    return progress


def _try(ctx: Context) -> bool:
    """As far as it goes: the step itself does it again, and tells what is in the way."""
    try:
        return quarantine(ctx)
    except RotatorError:
        return False
