"""Whether blue is as it was sealed: before a flip back it is proved that nobody has written there past its fence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rotator.database.channel import Channel
from rotator.database.replication import Verified
from rotator.domain.errors import Blocked
from rotator.journal.results import CutoverResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.in_flux import Hot, kept, recalled
from rotator.rotation.steps.cutover.past_fence import by_hand, without_way_back
from rotator.rotation.steps.world import any_at, server


def untouched(ctx: Context, channel: Channel) -> tuple[Mapping[str, Any] | None, Hot]:
    """Blue's imprint, and what of it is to be compared in the window: nothing, where it is as it was sealed.

    Else somebody may have written on blue past its fence, or nobody knows: all of it is compared with green first, and
    noted, so that the next run need not do so again. Raises Blocked with every difference. A blue that serves already
    is left alone.
    """
    blue = server(ctx, ctx.rotation.blue)
    if blue is None or (any_at(ctx, ctx.rotation.blue) and not blue.fence_state().on):
        return None, ()
    noted = ctx.memory.result(CutoverResult)
    sealed = noted.imprint or {}
    changed = channel.touched(sealed) if sealed else (f"nothing was noted of {ctx.rotation.blue} when it was sealed",)
    unsettled = recalled(ctx, "hot_back", noted.hot_back, noted.hot_back_digest)
    if not changed and unsettled is None:
        changed = ("what was in flux when they were compared is not known any more",)
    if not changed:
        return sealed, unsettled or ()
    ctx.progress(None, f"comparing {ctx.rotation.blue} with {ctx.rotation.green} first: {changed[0]}")
    channel.shut(ctx.env.config.rotation.fence_budget)
    imprint = channel.imprint()
    found = channel.verify(ctx.progress)
    _refuse(ctx, found, changed)
    ranges, digest = kept(ctx, "hot_back", found.unsettled)
    ctx.memory.note(
        CutoverResult, lambda known: replace(known, imprint=imprint, hot_back=ranges, hot_back_digest=digest)
    )
    return imprint, found.unsettled


def shrink_back(ctx: Context, channel: Channel, unsettled: Hot) -> Hot:
    """What was in flux, looked at again at the gate, so that little is left for the window."""
    if not unsettled:
        return ()
    found = channel.verify_again(unsettled, ctx.progress)
    _refuse(ctx, found, ("rows that were in flux when all was compared are different now",))
    return found.unsettled


def _refuse(ctx: Context, found: Verified, changed: tuple[str, ...]) -> None:
    if not found.differences:
        return
    raise Blocked(
        f"{ctx.rotation.blue} does not hold what {ctx.rotation.green} holds.",
        why=f"Somebody has written on {ctx.rotation.blue} past its fence since the flip; {changed[0]}.",
        fix=f"{ctx.rotation.green} serves, and is complete. Make the named rows equal on {ctx.rotation.blue}, "
        f"past its fence as below, and then: rotator rollback {ctx.env.name}. {without_way_back(ctx)}",
        details=(*changed, *found.differences, *by_hand(ctx.rotation.blue)),
        on_terminal=found.by_key,
        code="blue-touched",
    )
