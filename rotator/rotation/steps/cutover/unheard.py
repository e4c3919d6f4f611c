"""A record that has flipped although the journal never began it: the journal is an older copy."""

from __future__ import annotations

from rotator.domain.errors import journal_behind
from rotator.journal.results import CutoverResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import any_at


def refuse_unheard_of_flip(ctx: Context) -> None:
    """Raise Blocked when the record points at green although the flip was never begun."""
    if not ctx.memory.began(CutoverResult.step) and any_at(ctx, ctx.rotation.green):
        raise journal_behind(f"{ctx.env.config.dns.record} points at {ctx.rotation.green}, and it began no flip.")
