"""A look at blue, green and the name, as rotation.safety wants it."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.database import FenceState
from rotator.domain.errors import DatabaseError
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult
from rotator.rotation.safety import Ahead, Name, Side, Sides
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import any_at, is_at, server


@dataclass(frozen=True)
class Seen:
    """What was seen; `fault` is why green could not be looked at, where it is unknown."""

    sides: Sides
    fault: DatabaseError | None = None


def look(ctx: Context, green_ahead: Ahead | None = None, *, blue_ahead: bool = False) -> Seen:
    """Look at both sides and the records. Raises what AWS or blue's server raises.

    `green_ahead`, where the caller does not know better: green may hold writes of its own unless all records lead to
    blue.
    """
    name = led_to(ctx)
    if green_ahead is None:
        green_ahead = Ahead.NO if name is Name.BLUE else Ahead.YES
    blue = _side(ctx, ctx.rotation.blue)
    green, fault = _green(ctx)
    return Seen(Sides(blue, green, name, green_ahead, blue_ahead), fault)


def led_to(ctx: Context) -> Name:
    """Where the records that flip lead."""
    if is_at(ctx, ctx.rotation.blue):
        return Name.BLUE
    if not any_at(ctx, ctx.rotation.green):
        return Name.ELSEWHERE
    return Name.GREEN if is_at(ctx, ctx.rotation.green) else Name.BOTH


def side_of(state: FenceState) -> Side:
    """What a fence makes of its server."""
    if state.sealed:
        return Side.SHUT
    return Side.LEASED if state.fenced_tables else Side.OPEN


def _side(ctx: Context, identifier: str) -> Side:
    """As its catalogs show it; unknown where the tool may not connect."""
    if ctx.topology.find(identifier) is None:
        return Side.ABSENT
    found = server(ctx, identifier)
    return side_of(found.fence_state()) if found is not None else Side.UNKNOWN


def _green(ctx: Context) -> tuple[Side, DatabaseError | None]:
    """Strategy snapshot: green is born fenced, with the fence in its snapshot; only a cutover that has begun to open it
    changes that. One without an endpoint has no clients. Whatever its status: a green that is modified or backed up
    takes writes.
    """
    found = ctx.topology.find(ctx.rotation.green)
    if found is None or found.address is None or found.port is None:
        return Side.ABSENT, None
    if ctx.rotation.strategy is not Strategy.REPLICATE and not ctx.memory.result(CutoverResult).opened_at:
        return Side.SHUT, None
    try:
        return _side(ctx, ctx.rotation.green), None
    except DatabaseError as fault:
        return Side.UNKNOWN, fault
