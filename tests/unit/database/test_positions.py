"""Positions are opaque, and stored as journals have had them since there was one engine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.database.position import Position, read_position
from rotator.database.postgres.lsn import covers, number_of, position_of
from rotator.database.seed import Bracket, outside, quorum

NUMBERS = st.integers(0, (1 << 64) - 1)
OTHERS = st.sampled_from(["mysql", "mariadb"])


@given(number=NUMBERS)
def test_what_a_journal_of_before_holds_is_a_position_of_postgres(number: int) -> None:
    position = position_of(number)
    assert str(position) == position.text
    assert read_position(position.text) == position
    assert number_of(read_position(str(position))) == number


@given(engine=OTHERS, text=st.text(min_size=1))
def test_a_position_of_another_engine_survives_its_storage(engine: str, text: str) -> None:
    assert read_position(str(Position(engine, text))) == Position(engine, text)


def test_gtids_and_files_keep_their_colons() -> None:
    gtids = Position("mysql", "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5")
    file = Position("mysql", "mysql-bin.000003:154")
    assert [read_position(str(each)) for each in (gtids, file)] == [gtids, file]


@given(one=NUMBERS, two=NUMBERS)
def test_covers_is_the_order_of_the_log(one: int, two: int) -> None:
    assert covers(position_of(one), position_of(two)) == (one >= two)


def test_a_position_of_another_engine_is_not_compared() -> None:
    with pytest.raises(ValueError, match="mysql means nothing to postgres"):
        covers(Position("mysql", "x"), position_of(1))


# The quorum, over sets as GTIDs are: only partly ordered.


def gtids(*numbers: int) -> Position:
    return Position("mysql", ",".join(map(str, sorted(numbers))))


def includes(one: Position, other: Position) -> bool:
    return set(other.text.split(",")) <= set(one.text.split(","))


def test_two_sources_that_agree_are_enough() -> None:
    assert quorum({"a": gtids(1, 2), "b": gtids(1, 2)}, includes).position == gtids(1, 2)
    assert quorum({"a": gtids(1, 2)}, includes, confirming=["log"]).sources == ("a", "log")


def test_two_spellings_of_one_position_agree() -> None:
    assert quorum({"a": Position("mysql", "1,2"), "b": Position("mysql", "2,1")}, includes).position is not None


@pytest.mark.parametrize(
    ("known", "confirming", "problem"),
    [
        ({}, (), "fewer than two"),
        ({"a": gtids(1)}, (), "fewer than two"),
        ({"a": gtids(1)}, ("a",), "fewer than two"),
        ({}, ("log", "page"), "fewer than two"),
        ({"a": gtids(1, 2), "b": gtids(1, 3)}, (), "disagree"),
        ({"a": gtids(1, 2), "b": gtids(1)}, (), "disagree"),
        ({"a": gtids(1), "b": gtids(1, 2)}, (), "disagree"),
        ({"a": gtids(1), "b": gtids(1), "c": gtids(2)}, (), "disagree"),
    ],
)
def test_anything_else_is_no_seed(known: dict[str, Position], confirming: tuple[str, ...], problem: str) -> None:
    found = quorum(known, includes, confirming)
    assert found.position is None
    assert problem in found.problem


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (gtids(1, 2, 3), ""),
        (gtids(2, 3), "before the slot's position"),
        (gtids(1, 3), "outside"),
        (gtids(1, 2, 9), "outside"),
    ],
)
def test_the_seed_lies_in_its_bracket_also_where_the_order_is_partial(position: Position, words: str) -> None:
    bracket = Bracket(low=gtids(1, 2), high=gtids(1, 2, 3, 4))
    found = outside(position, gtids(1), bracket, includes)
    assert (words in found) if words else not found
