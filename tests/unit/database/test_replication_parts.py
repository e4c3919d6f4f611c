"""Names, sequences' headroom, and what a log says of an apply worker: the pure parts of replication."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rotator.database.compare import is_behind
from rotator.database.postgres.catalog.sequence_places import Limits, with_headroom
from rotator.database.postgres.replication.apply_log import apply_errors, apply_keys, connection_errors
from rotator.database.postgres.replication.names import Names, is_own
from rotator.domain.database import CounterState


@given(rotation=st.text(min_size=1, max_size=200), oid=st.integers(1, 2**32 - 1), back=st.booleans())
def test_every_rotation_gives_names_that_postgresql_takes(rotation: str, oid: int, back: bool) -> None:
    names = Names(rotation, back)
    for name in (names.slot(oid), names.publication, names.role):
        assert re.fullmatch(r"[a-z0-9_]{1,63}", name)
        assert is_own(name)


@given(one=st.text(min_size=1, max_size=80), other=st.text(min_size=1, max_size=80))
def test_two_rotations_never_share_a_slot(one: str, other: str) -> None:
    same = one.lower().replace("-", "_") == other.lower().replace("-", "_")
    assert same or Names(one).slot(5) != Names(other).slot(5)


def test_the_usual_name_reads_as_the_rotation() -> None:
    assert Names("local-g1").slot(16402) == "rotator_local_g1_16402"
    assert Names("local-g1", back=True).slot(16402) == "rotator_local_g1_16402_back"


LONG = "a-database-with-a-name-of-some-length-g12"
"""One character more than is kept as it is."""


@given(rotation=st.sampled_from([LONG, LONG[:-1], "x" * 200, "local-g1"]), oid=st.integers(1, 2**32 - 1))
def test_the_longest_name_and_the_largest_number_fit_and_are_found_again(rotation: str, oid: int) -> None:
    there, back = Names(rotation), Names(rotation, back=True)
    for own, other in ((there, back), (back, there)):
        assert len(own.slot(oid)) <= 63
        assert re.search(own.pattern, own.slot(oid))
        assert not re.search(other.pattern, own.slot(oid))


def test_names_that_fitted_before_are_as_they_were() -> None:
    assert len(LONG[:-1]) == 40
    stem = f"rotator_{LONG[:-1].replace('-', '_')}"
    assert Names(LONG[:-1], back=True).slot(999_999_999) == f"{stem}_999999999_back"
    assert Names(LONG[:-1]).slot(2**32 - 1) == f"{stem}_4294967295"


limits = st.builds(lambda a, b: Limits(min(a, b), max(a, b), 1), st.integers(-1000, 0), st.integers(1, 5000))


@given(
    value=st.integers(-1000, 5000),
    called=st.booleans(),
    increment=st.sampled_from([1, 3, -1, -7]),
    bounds=limits,
    headroom=st.integers(0, 3000),
)
def test_headroom_never_goes_back_and_never_past_the_limits(
    value: int, called: bool, increment: int, bounds: Limits, headroom: int
) -> None:
    value = min(max(value, bounds.least), bounds.most)
    state = CounterState(value, called, increment)
    moved = with_headroom(state, bounds, headroom)
    assert bounds.least <= moved.last_value <= bounds.most
    assert not is_behind(moved, state)
    if not called:
        assert moved == state


def test_headroom_is_at_least_what_a_session_has_cached() -> None:
    moved = with_headroom(CounterState(10, True, 3), Limits(1, 10**9, 50), 0)
    assert moved.last_value == 10 + 50 * 3


PREFIX = "2026-01-01 00:00:00 UTC::@:[77]:"
BROKEN = [
    f'{PREFIX}LOG:  logical replication apply worker for subscription "rotator_local_g1_5" has started',
    f'{PREFIX}ERROR:  duplicate key value violates unique constraint "item_pkey"',
    f"{PREFIX}DETAIL:  Key (id)=(5) already exists.",
    f'{PREFIX}CONTEXT:  processing remote data for replication origin "pg_16402" during message type "INSERT" for'
    ' replication target relation "public.item" in transaction 734, finished at 0/14C0378',
]


def test_an_apply_error_is_told_with_its_table_and_its_key_apart() -> None:
    found = apply_errors(BROKEN)
    assert found[0].startswith("duplicate key value")
    assert apply_keys(BROKEN) == ("Key (id)=(5)",)
    assert any("public.item" in line for line in found)


def test_errors_of_clients_are_none_of_apply() -> None:
    client = [f"{PREFIX}ERROR:  duplicate key value", f"{PREFIX}DETAIL:  Key (id)=(9) already exists."]
    assert apply_errors(client) == ()


def test_what_was_before_the_worker_started_again_is_mended() -> None:
    assert apply_errors([*BROKEN, BROKEN[0], BROKEN[0]]) == ()


def test_between_a_start_and_its_error_the_run_before_tells() -> None:
    assert apply_errors([*BROKEN, *BROKEN, BROKEN[0]]) == apply_errors(BROKEN)


def test_a_lost_connection_is_no_change_that_cannot_be_applied() -> None:
    lost = f"{PREFIX}ERROR:  could not receive data from WAL stream: server closed the connection unexpectedly"
    assert apply_errors([BROKEN[0], lost]) == ()
    assert connection_errors([BROKEN[0], lost, BROKEN[0]])[0].startswith("could not receive data")
    assert connection_errors(BROKEN) == ()


def test_a_publisher_that_cannot_be_reached_is_told() -> None:
    line = f'{PREFIX}ERROR:  apply worker for subscription "s" could not connect to the publisher: timeout expired'
    assert "could not connect to the publisher" in connection_errors([BROKEN[0], line])[0]
