"""What is safe to do to blue, green and the name: proved for every state that there can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.rotation import safety
from rotator.rotation.safety import Ahead, Flow, Move, Name, Side, Sides, after, both_may_write, holds, judge, way

STATES = tuple(Sides(*each) for each in product(Side, Side, Name, Ahead, (False, True), (False, True), Flow))
HARMLESS = frozenset({Move.WAIT, Move.ASK_A_PERSON})
CHANGES = frozenset(Move) - HARMLESS
KNOWN = tuple(each for each in STATES if each.known and not each.apply_may_flip)


def served(sides: Sides) -> bool:
    """Exactly one side takes writes, it has everything, and the name leads to it."""
    blue = sides.blue is Side.OPEN and sides.name is Name.BLUE and not sides.green.may_write
    green = sides.green is Side.OPEN and sides.name is Name.GREEN and not sides.blue.may_write
    return (blue or green) and holds(sides)


def reach(start: Sides) -> Iterator[Sides]:
    """Every world that safe moves lead to."""
    found = [start]
    for here in found:
        yield here
        found += [then for move in judge(here).moves & CHANGES if (then := after(here, move)) not in found]


def test_the_space_is_the_whole_space() -> None:
    assert len(STATES) == len(set(STATES)) == 5 * 5 * 5 * 3 * 2 * 2 * 3


def test_the_rule_holds_nowhere_where_two_sides_take_writes() -> None:
    assert not [each for each in STATES if both_may_write(each) and holds(each)]


def test_no_move_that_is_yielded_breaks_the_rule() -> None:
    assert not [(each, move) for each in STATES for move in judge(each).moves & CHANGES if not holds(after(each, move))]


def test_two_sides_never_come_to_take_writes() -> None:
    broken = [
        (each, move)
        for each in STATES
        for move in judge(each).moves
        if both_may_write(after(each, move)) and not both_may_write(each)
    ]
    assert broken == []


def test_what_one_side_alone_holds_is_never_left_behind() -> None:
    """Green's writes go with a drain, or with a person's word; blue's with a drain alone."""
    for each in STATES:
        for move in judge(each).moves:
            then = after(each, move)
            if each.green_ahead is Ahead.YES and then.green_ahead is Ahead.NO:
                assert move is Move.DRAIN_TO_BLUE
            if each.blue_ahead and not then.blue_ahead:
                assert move is Move.DRAIN_TO_GREEN


def test_while_anything_is_not_known_or_an_apply_is_at_work_nothing_is_changed() -> None:
    for each in STATES:
        if not each.known or each.apply_may_flip:
            assert judge(each).moves <= HARMLESS
    assert all(Move.ASK_A_PERSON in judge(each).moves for each in STATES if not each.known)


def test_there_is_always_something_to_do_and_a_word_for_each_thing_that_is_not() -> None:
    for each in STATES:
        verdict = judge(each)
        assert verdict.moves
        assert verdict.moves | verdict.why_not.keys() == frozenset(Move)
        assert not verdict.moves & verdict.why_not.keys()
        assert all(verdict.why_not.values())


def test_from_each_state_one_side_comes_to_serve_or_a_person_is_asked() -> None:
    for each in STATES:
        assert any(served(then) or judge(then).moves & HARMLESS for then in reach(each)), each


def test_where_all_is_well_nobody_needs_to_be_asked() -> None:
    """The rule holds, nothing is ahead, both are there: some side comes to serve by safe moves alone."""
    quiet = (each for each in KNOWN if holds(each) and not each.blue_ahead and each.green_ahead is Ahead.NO)
    for each in quiet:
        if Side.ABSENT not in (each.blue, each.green):
            assert any(map(served, reach(each))), each


@given(st.sampled_from(STATES), st.lists(st.sampled_from(sorted(Move)), max_size=12))
def test_whatever_is_done_in_whatever_order_the_rule_once_held_is_never_broken(start: Sides, tried: list[Move]) -> None:
    here, held = start, holds(start)
    for move in tried:
        if move in judge(here).moves:
            here = after(here, move)
            held = held or holds(here)
            assert holds(here) or not held


@given(st.sampled_from(STATES), st.sampled_from(sorted(CHANGES)), st.frozensets(st.sampled_from(sorted(CHANGES))))
def test_a_way_is_made_of_moves_that_are_safe_one_after_the_other(start: Sides, to: Move, by: frozenset[Move]) -> None:
    here, found = start, way(start, to, by)
    for move in found:
        assert move in judge(here).moves
        here = after(here, move)
    assert found[-1:] in ((), (to,))
    assert set(found[:-1]) <= by


def test_a_rule_that_is_wrong_is_caught_by_the_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of refusals may have a hole: what is yielded is asked of the rule once more."""
    always: Callable[[Sides], str] = lambda _: ""  # noqa: E731
    monkeypatch.setattr(safety, "_REFUSALS", {**safety._REFUSALS, Move.UNFENCE_BLUE: always, Move.OPEN_GREEN: always})
    two = [each for each in STATES if {Move.UNFENCE_BLUE, Move.OPEN_GREEN} & judge(each).moves]
    assert two
    assert all(holds(after(each, m)) for each in two for m in judge(each).moves & {Move.UNFENCE_BLUE, Move.OPEN_GREEN})


def test_the_window_there_and_back() -> None:
    blue = Sides(Side.OPEN, Side.SHUT, Name.BLUE, blue_ahead=True, flow=Flow.TO_GREEN)
    there = way(blue, Move.FLIP_TO_GREEN, CHANGES)
    assert there == (Move.SEAL_BLUE, Move.DRAIN_TO_GREEN, Move.FLIP_TO_GREEN)
    green = Sides(Side.SHUT, Side.OPEN, Name.GREEN, Ahead.YES, flow=Flow.TO_BLUE)
    assert way(green, Move.FLIP_TO_BLUE, CHANGES) == (Move.SHUT_GREEN, Move.DRAIN_TO_BLUE, Move.FLIP_TO_BLUE)


@pytest.mark.parametrize("green", [Side.OPEN, Side.LEASED])
@pytest.mark.parametrize("blue", [Side.SHUT, Side.LEASED])
def test_a_killed_window_is_left_with_green_shut_before_blue_opens(blue: Side, green: Side) -> None:
    left = Sides(blue, green, Name.BLUE)
    assert way(left, Move.UNFENCE_BLUE, {Move.SHUT_GREEN}) == (Move.SHUT_GREEN, Move.UNFENCE_BLUE)
    assert way(replace(left, green=Side.SHUT), Move.UNFENCE_BLUE, {Move.SHUT_GREEN}) == (Move.UNFENCE_BLUE,)
    assert way(replace(left, apply_may_flip=True), Move.UNFENCE_BLUE, {Move.SHUT_GREEN}) == ()
    assert way(replace(left, green=Side.UNKNOWN), Move.UNFENCE_BLUE, {Move.SHUT_GREEN}) == ()
