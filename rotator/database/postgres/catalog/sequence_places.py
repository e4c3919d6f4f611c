"""Where a sequence must stand on the side that takes over. Pure.

It must not give out again what the other side has given out, nor what that side may yet give out to a bare nextval(),
which passes every fence: so it gets the other's position and some more, the headroom. But at most a quarter of what a
bounded sequence has left: a serial near its end must not be at its end because of a rotation.

It follows the other side back as well. Crash recovery puts a sequence up to 32 numbers and a session's cache ahead,
which for a bounded one may be all that is left; and whoever has set the sequence back on the side that serves wants
those numbers to come again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rotator.database.compare import is_behind
from rotator.domain.database import CounterState

LOGGED_AHEAD = 32
"""SEQ_LOG_VALS: so many fetches of a sequence are logged at once, and skipped by a crash recovery."""
SHARE = 4
"""The headroom takes at most one part in so many of what is left."""


@dataclass(frozen=True)
class Limits:
    """The least and greatest number that serves, and a session's cache; `cycle`: it begins again at its end."""

    least: int
    most: int
    cache: int
    cycle: bool = False

    @property
    def slack(self) -> int:
        """How far it may be ahead of what was given out: what is logged ahead, and a session's cache."""
        return LOGGED_AHEAD + self.cache

    def left(self, state: CounterState) -> int:
        """How many numbers there are after this one."""
        return max(steps(state, self.most if state.increment > 0 else self.least), 0)


@dataclass(frozen=True)
class Place:
    """Where it must stand; None: where it is. `set_back`: the side that serves was set back since the snapshot."""

    state: CounterState | None
    set_back: bool = False


def steps(state: CounterState, value: int) -> int:
    """How many numbers lie from its position to `value` in the sequence's direction; negative: the other way."""
    distance = value - state.last_value
    return (distance if state.increment > 0 else -distance) // abs(state.increment)


def with_headroom(state: CounterState, limits: Limits, headroom: int) -> CounterState:
    """The position from which nothing is given out that `state` has given out, or gives out meanwhile.

    One that never gave out a number stays where it is.
    """
    if not state.is_called:
        return state
    room = min(max(headroom, limits.cache), limits.left(state) // SHARE)
    return replace(state, last_value=state.last_value + room * state.increment)


def place(serving: CounterState, there: CounterState, limits: Limits, headroom: int) -> Place:
    """Where the sequence must stand on the side that takes over, given where it stands on both."""
    wanted = with_headroom(serving, limits, headroom)
    if not serving.is_called:
        same = (serving.last_value, False) == (there.last_value, there.is_called)
        return Place(None if same else wanted, there.is_called and not limits.cycle)
    if not there.is_called:
        return Place(wanted)
    ahead, room = steps(serving, there.last_value), steps(serving, wanted.last_value)
    usual = max(headroom, limits.cache) + limits.slack
    most = max(room, min(usual, limits.left(serving) // SHARE))
    return Place(None if (room + 1) // 2 <= ahead <= most else wanted, ahead > usual and not limits.cycle)


def place_exactly(serving: CounterState, there: CounterState, limits: Limits) -> CounterState | None:
    """As `place` where nobody is meant to draw numbers any more; None: it may stay where it is.

    It goes back in one case alone: what crash recovery has put it ahead is a good part of all that is left.
    """
    if is_behind(there, serving):
        return serving
    ahead = steps(serving, there.last_value) if serving.is_called and there.is_called else 0
    lost = limits.left(serving) // SHARE < ahead <= limits.slack
    return serving if lost else None


def still_good(before: CounterState, now: CounterState, given: CounterState) -> bool:
    """Whether what was given for `before` serves for `now` too: at least half of the headroom must be left."""
    if not before.is_called or not now.is_called:
        return (before.last_value, before.is_called) == (now.last_value, now.is_called)
    return 0 <= steps(before, now.last_value) <= steps(before, given.last_value) // 2
