"""Where a sequence must stand on the side that takes over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.database.compare import is_behind, set_back
from rotator.database.postgres.catalog.sequence_places import Limits, Place, place, place_exactly, steps, still_good
from rotator.domain.database import CounterState

WIDE = Limits(-(1 << 40), 1 << 40, 1)
HEADROOM = 1000


def at(value: int, increment: int = 1, *, called: bool = True) -> CounterState:
    return CounterState(value, called, increment)


@pytest.mark.parametrize(
    ("serving", "there", "limits", "wanted"),
    [
        (at(100), at(50), WIDE, Place(at(1100))),
        (at(100), at(1100), WIDE, Place(None)),
        (at(100), at(1020), WIDE, Place(None)),
        (at(100), at(590), WIDE, Place(at(1100))),
        (at(-10, -5), at(0, -5), WIDE, Place(at(-5010, -5))),
        (at(991), at(990), Limits(1, 1000, 1), Place(at(993))),
        (at(991), at(1000), Limits(1, 1000, 1), Place(at(993))),
        (at(1000), at(1000), Limits(1, 1000, 1), Place(None)),
        (at(-991, -1), at(-1000, -1), Limits(-1000, -1, 1), Place(at(-993, -1))),
        (at(1, called=False), at(1, called=False), WIDE, Place(None)),
        (at(7, called=False), at(1, called=False), WIDE, Place(at(7, called=False))),
        (at(5), at(1, called=False), WIDE, Place(at(1005))),
        (at(5), at(90_000), WIDE, Place(at(1005), set_back=True)),
        (at(1, called=False), at(90_000), WIDE, Place(at(1, called=False), set_back=True)),
        (at(5), at(995), Limits(1, 1000, 1, cycle=True), Place(at(253))),
        (at(5), at(90_000), Limits(1, 100_000, 1, cycle=True), Place(at(1005))),
    ],
)
def test_where(serving: CounterState, there: CounterState, limits: Limits, wanted: Place) -> None:
    assert place(serving, there, limits, HEADROOM) == wanted


@given(
    serving=st.integers(1, 1000),
    there=st.integers(1, 1000),
    increment=st.sampled_from([1, 3, -1, -7]),
    cache=st.integers(1, 50),
    headroom=st.integers(0, 3000),
)
def test_it_is_never_behind_and_takes_a_quarter_of_the_rest_at_most(
    serving: int, there: int, increment: int, cache: int, headroom: int
) -> None:
    limits = Limits(1, 1000, cache)
    one, other = at(serving, increment), at(there, increment)
    after = place(one, other, limits, headroom).state or other
    assert not is_behind(after, one)
    assert steps(one, after.last_value) <= limits.left(one) // 4
    assert still_good(one, one, after)
    assert place(one, after, limits, headroom).state is None


def test_half_of_the_headroom_must_be_left() -> None:
    assert still_good(at(100), at(600), at(1100))
    assert not still_good(at(100), at(601), at(1100))
    assert not still_good(at(100), at(99), at(1100)), "set back, or begun again"
    assert not still_good(at(1, called=False), at(1), at(1, called=False))
    assert still_good(at(1000), at(1000), at(1000))


def test_exactly_goes_back_only_for_what_a_crash_recovery_has_skipped() -> None:
    assert place_exactly(at(50), at(40), WIDE) == at(50)
    assert place_exactly(at(50), at(83), WIDE) is None
    assert place_exactly(at(50), at(99), WIDE) is None
    assert place_exactly(at(991), at(1000), Limits(1, 1000, 1)) == at(991)
    assert place_exactly(at(991), at(992), Limits(1, 1000, 1)) is None


def test_what_was_set_back_is_told() -> None:
    def near(value: int, increment: int = 1, slack: int = 33) -> CounterState:
        return CounterState(value, True, increment, slack)

    blue = {"s": near(5), "near": near(5), "down": near(-5, -1), "cached": near(5, slack=132)}
    green = {"s": at(90), "near": at(37), "down": at(-90, -1), "cached": at(90)}
    assert set_back(blue, green) == (
        "sequence down: blue is at -5, green ahead of it at -90",
        "sequence s: blue is at 5, green ahead of it at 90",
    )
