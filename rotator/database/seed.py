"""Where green's data ends: what is known of it, and the decision by a quorum of sources. Pure; no driver here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from rotator.database.position import Position

Covers = Callable[[Position, Position], bool]
"""Whether the first holds all that the second holds: a channel's `covers`."""
QUORUM = 2


@dataclass(frozen=True)
class Bracket:
    """What the seed must lie between: the source's positions before and after the snapshot."""

    low: Position
    high: Position


@dataclass(frozen=True)
class Seed:
    """The decision: a position and the sources that agree on it; or what is wrong, in words. `figures` are lines."""

    position: Position | None
    sources: tuple[str, ...]
    figures: tuple[str, ...]
    problem: str = ""


def quorum(known: Mapping[str, Position], covers: Covers, confirming: Collection[str] = ()) -> Seed:
    """The position on which all sources agree, when they are enough. No figures.

    Two agree when each covers the other: a position may have several spellings.

    `known` maps each exact source to its position. `confirming` are sources that have no position of their own and can
    only confirm or refute one: whoever calls looks at that afterwards.
    """
    sources = tuple(dict.fromkeys((*known, *confirming)))
    if len(sources) < QUORUM or not known:
        return Seed(None, sources, (), "fewer than two exact sources are to be had")
    position = next(iter(known.values()))
    if not all(covers(position, other) and covers(other, position) for other in known.values()):
        return Seed(None, sources, (), "the sources disagree")
    return Seed(position, sources, ())


def outside(position: Position, begins: Position, bracket: Bracket, covers: Covers) -> str:
    """Why a channel that begins at `begins` cannot go on from that position; empty when it can."""
    if not covers(position, begins):
        return "the seed lies before the slot's position: changes between them would be missing"
    if not (covers(position, bracket.low) and covers(bracket.high, position)):
        return "the seed lies outside the positions that blue had before and after the snapshot"
    return ""
