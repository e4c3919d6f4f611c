"""What may be done next to blue, green and the name: one pure function, and the one rule that it never breaks.

The rule (`holds`): never two sides that take writes, and no side takes writes that lacks what the other alone has
acknowledged. It asks nothing of where the name leads: resolvers keep old answers, so both sides are behind the name.
`judge` yields a move only when the rule holds after it. What is not known counts as the worst that it can be, and while
anything is not known nothing is changed. Tests prove all of it for every state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Side(StrEnum):
    """Whether a side takes writes."""

    OPEN = "open"
    LEASED = "leased"
    """Shut for a time only, or in a part: it may take writes at any moment, and still has to be opened."""
    SHUT = "shut"
    """Until somebody opens it: sealed."""
    ABSENT = "absent"
    UNKNOWN = "unknown"

    @property
    def may_write(self) -> bool:
        """Whether it takes writes, or may do so at any moment."""
        return self in (Side.OPEN, Side.LEASED, Side.UNKNOWN)


class Name(StrEnum):
    """Where the records that flip lead. `BOTH`: an apply that was cut off has moved some of them."""

    BLUE = "blue"
    GREEN = "green"
    BOTH = "both"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


class Ahead(StrEnum):
    """Whether green may have acknowledged what blue does not have."""

    NO = "no"
    YES = "yes"
    GIVEN_UP = "given-up"
    """It may, and a person has agreed to lose that."""


class Flow(StrEnum):
    """The direction in which changes flow, so that a side that is shut can be drained to the other."""

    NONE = "none"
    TO_GREEN = "to-green"
    TO_BLUE = "to-blue"


@dataclass(frozen=True)
class Sides:
    """One look at the world. `blue_ahead`: blue may have acknowledged what green does not have, and cannot get any more
    (or only by a drain). `apply_may_flip`: an apply that outlived its driver may still move the name.
    """

    blue: Side
    green: Side
    name: Name
    green_ahead: Ahead = Ahead.NO
    blue_ahead: bool = False
    apply_may_flip: bool = False
    flow: Flow = Flow.NONE

    @property
    def known(self) -> bool:
        """Whether everything was seen."""
        return Side.UNKNOWN not in (self.blue, self.green) and self.name is not Name.UNKNOWN


class Move(StrEnum):
    """What can be done. The last two change nothing."""

    SHUT_GREEN = "shut-green"
    SEAL_BLUE = "seal-blue"
    DRAIN_TO_GREEN = "drain-to-green"
    DRAIN_TO_BLUE = "drain-to-blue"
    OPEN_GREEN = "open-green"
    UNFENCE_BLUE = "unfence-blue"
    FLIP_TO_GREEN = "flip-to-green"
    FLIP_TO_BLUE = "flip-to-blue"
    WAIT = "wait"
    """Until the apply that outlived its driver has ended."""
    ASK_A_PERSON = "ask-a-person"


@dataclass(frozen=True)
class Verdict:
    """The moves that are safe now, never none; and why each other one is not, in words."""

    moves: frozenset[Move]
    why_not: Mapping[Move, str]


def both_may_write(sides: Sides) -> bool:
    """Whether two sides take writes, or may at any moment."""
    return sides.blue.may_write and sides.green.may_write


def holds(sides: Sides) -> bool:
    """The rule: at most one side takes writes, and none that lacks what the other alone has acknowledged."""
    if both_may_write(sides):
        return False
    blue_lacks, green_lacks = sides.green_ahead is not Ahead.NO, sides.blue_ahead
    return not (sides.blue.may_write and blue_lacks) and not (sides.green.may_write and green_lacks)


def after(sides: Sides, move: Move) -> Sides:
    """The world when that move has been made. A side that is opened is ahead from then on."""
    return _EFFECTS[move](sides) if move in _EFFECTS else sides


def judge(sides: Sides) -> Verdict:
    """The moves that are safe. Those that change something are asked of the rule once more before they are yielded."""
    why = {move: refusal(sides) for move, refusal in _REFUSALS.items()}
    why |= {move: BREAKS for move in _EFFECTS if not why[move] and not holds(after(sides, move))}
    safe = {move for move, words in why.items() if not words}
    return Verdict(frozenset(safe), {move: words for move, words in why.items() if words})


def way(sides: Sides, to: Move, by: Collection[Move] = ()) -> tuple[Move, ...]:
    """The fewest safe moves that end with `to`, using those of `by` before it; none where there is no such way.

    Each is judged in the world that the ones before it leave.
    """
    reached: list[tuple[Sides, tuple[Move, ...]]] = [(sides, ())]
    seen = {sides}
    for here, made in reached:
        safe = judge(here).moves
        if to in safe:
            return (*made, to)
        for move in (move for move in Move if move in safe and move in by):
            then = after(here, move)
            if then not in seen:
                seen.add(then)
                reached.append((then, (*made, move)))
    return ()


BREAKS = "two sides could take writes, or one that lacks what the other has acknowledged"
AT_WORK = "an apply of an earlier run may still move the name"
NOT_SEEN = "not everything can be seen"
DIVERGED = "both sides may hold writes that the other does not have"
BLUE_MAY_WRITE = "blue may take writes"
GREEN_MAY_WRITE = "green may take writes"
ONLY_ON_GREEN = "green may hold writes that blue does not have"
ONLY_ON_BLUE = "blue may hold writes that green does not have"


def _barred(sides: Sides) -> str:
    """Why nothing at all may be changed; empty when something may."""
    if sides.apply_may_flip:
        return AT_WORK
    if not sides.known:
        return NOT_SEEN
    return "" if holds(sides) or _nobody_was_led_to_green(sides) else DIVERGED


def _nobody_was_led_to_green(sides: Sides) -> bool:
    """Both may take writes, but green has had no client and gets none: shutting it loses nothing and mends that."""
    return sides.name is Name.BLUE and sides.green_ahead is Ahead.NO


def _shut_green(sides: Sides) -> str:
    if sides.green not in (Side.OPEN, Side.LEASED):
        return "green takes no writes"
    return _barred(sides)


def _seal_blue(sides: Sides) -> str:
    if sides.blue not in (Side.OPEN, Side.LEASED):
        return "blue takes no writes"
    return _barred(sides) or (GREEN_MAY_WRITE if sides.green.may_write else "")


def _drain_to_green(sides: Sides) -> str:
    if not sides.blue_ahead or sides.flow is not Flow.TO_GREEN:
        return "nothing flows to green"
    return _barred(sides) or _both_shut(sides)


def _drain_to_blue(sides: Sides) -> str:
    if sides.green_ahead is Ahead.NO or sides.flow is not Flow.TO_BLUE:
        return "nothing flows to blue"
    return _barred(sides) or _both_shut(sides)


def _both_shut(sides: Sides) -> str:
    return "" if sides.blue is sides.green is Side.SHUT else "what still changes cannot be drained"


def _open_green(sides: Sides) -> str:
    if sides.green not in (Side.SHUT, Side.LEASED):
        return "green is open, or not there"
    return _barred(sides) or _refused_to_green(sides)


def _flip_to_green(sides: Sides) -> str:
    if sides.green is Side.ABSENT:
        return "green is not there"
    return _barred(sides) or _refused_to_green(sides)


def _refused_to_green(sides: Sides) -> str:
    if sides.blue.may_write:
        return BLUE_MAY_WRITE
    return ONLY_ON_BLUE if sides.blue_ahead else ""


def _unfence_blue(sides: Sides) -> str:
    if sides.blue not in (Side.SHUT, Side.LEASED):
        return "blue is open, or not there"
    return _barred(sides) or _refused_to_blue(sides)


def _flip_to_blue(sides: Sides) -> str:
    if sides.blue not in (Side.SHUT, Side.OPEN):
        return "blue is not there, or is shut for a time only"
    return _barred(sides) or _refused_to_blue(sides)


def _refused_to_blue(sides: Sides) -> str:
    if sides.green.may_write:
        return GREEN_MAY_WRITE
    return ONLY_ON_GREEN if sides.green_ahead is Ahead.YES else ""


def _wait(sides: Sides) -> str:
    return "" if sides.apply_may_flip else "nothing is at work"


def _ask(sides: Sides) -> str:
    """A person is asked where nothing can be seen, where the rule is broken, and where going on would lose writes."""
    if not sides.known or Side.ABSENT in (sides.blue, sides.green) or not holds(sides):
        return ""
    stuck = sides.green_ahead is Ahead.YES and sides.blue_ahead
    lost = sides.green_ahead is Ahead.YES and sides.flow is not Flow.TO_BLUE
    return "" if stuck or lost else "what is to be done can be told"


_REFUSALS: Mapping[Move, Callable[[Sides], str]] = {
    Move.SHUT_GREEN: _shut_green,
    Move.SEAL_BLUE: _seal_blue,
    Move.DRAIN_TO_GREEN: _drain_to_green,
    Move.DRAIN_TO_BLUE: _drain_to_blue,
    Move.OPEN_GREEN: _open_green,
    Move.UNFENCE_BLUE: _unfence_blue,
    Move.FLIP_TO_GREEN: _flip_to_green,
    Move.FLIP_TO_BLUE: _flip_to_blue,
    Move.WAIT: _wait,
    Move.ASK_A_PERSON: _ask,
}
"""Why a move is not safe; empty where it is."""


def _opened_blue(sides: Sides) -> Sides:
    kept = Ahead.NO if sides.green_ahead is Ahead.GIVEN_UP else sides.green_ahead
    return replace(sides, blue=Side.OPEN, blue_ahead=True, green_ahead=kept)


_EFFECTS: Mapping[Move, Callable[[Sides], Sides]] = {
    Move.SHUT_GREEN: lambda sides: replace(sides, green=Side.SHUT),
    Move.SEAL_BLUE: lambda sides: replace(sides, blue=Side.SHUT),
    Move.DRAIN_TO_GREEN: lambda sides: replace(sides, blue_ahead=False),
    Move.DRAIN_TO_BLUE: lambda sides: replace(sides, green_ahead=Ahead.NO),
    Move.OPEN_GREEN: lambda sides: replace(sides, green=Side.OPEN, green_ahead=Ahead.YES),
    Move.UNFENCE_BLUE: _opened_blue,
    Move.FLIP_TO_GREEN: lambda sides: replace(sides, name=Name.GREEN),
    Move.FLIP_TO_BLUE: lambda sides: replace(sides, name=Name.BLUE),
}
