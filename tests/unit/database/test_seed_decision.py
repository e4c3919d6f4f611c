"""The seed's decision: two exact sources that agree, inside the bounds, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.database.postgres.lsn import lsn, lsn_text, number_of, position_of
from rotator.database.postgres.replication.seed import Bounds, Recovery, SeedEvidence, decide_seed, read_recovery

SEEN = SeedEvidence(replayed=1000, tools=None, slot=True, low=True, high=False)
LOG = Recovery(done=950, end=1000, count=1)
BOUNDS = Bounds(confirmed=100, low=500, high=2000)


def test_replay_position_and_log_agree() -> None:
    found = decide_seed(SEEN, LOG, BOUNDS)
    assert found.position == position_of(1000)
    assert found.sources == ("replay position", "log")
    assert not found.problem


def test_at_a_page_boundary_the_start_of_the_last_record_confirms() -> None:
    assert decide_seed(SEEN, replace(LOG, end=None), BOUNDS).position == position_of(1000)


def test_rds_tools_and_the_log_are_enough_after_a_clean_restart() -> None:
    found = decide_seed(replace(SEEN, replayed=None, tools=1000), replace(LOG, count=2), BOUNDS)
    assert found.position == position_of(1000)
    assert found.sources == ("rds_tools", "log")


@pytest.mark.parametrize(
    ("evidence", "recovery", "bounds", "problem"),
    [
        (replace(SEEN, slot=False), LOG, BOUNDS, "older than the slot"),
        (replace(SEEN, low=False), LOG, BOUNDS, "another snapshot"),
        (replace(SEEN, high=True), LOG, BOUNDS, "younger"),
        (SEEN, replace(LOG, done=None, end=None), BOUNDS, "fewer than two"),
        (replace(SEEN, replayed=None), LOG, BOUNDS, "fewer than two"),
        (SEEN, replace(LOG, end=1008), BOUNDS, "disagree"),
        (SEEN, replace(LOG, end=None, done=1000), BOUNDS, "disagree"),
        (SEEN, replace(LOG, end=None, done=1000 - (2 << 20)), BOUNDS, "disagree"),
        (replace(SEEN, tools=992), LOG, BOUNDS, "disagree"),
        (SEEN, replace(LOG, count=2), BOUNDS, "fewer than two"),
        (SEEN, LOG, replace(BOUNDS, confirmed=1001), "before the slot's position"),
        (SEEN, LOG, replace(BOUNDS, low=1001), "outside"),
        (SEEN, LOG, replace(BOUNDS, high=999), "outside"),
    ],
)
def test_whatever_does_not_fit_stops_with_all_figures(
    evidence: SeedEvidence, recovery: Recovery, bounds: Bounds, problem: str
) -> None:
    found = decide_seed(evidence, recovery, bounds)
    assert found.position is None
    assert problem in found.problem
    assert any("slot confirmed" in line for line in found.figures)
    assert len(found.figures) == 8


positions = st.integers(0, 1 << 40)
maybe = st.none() | positions


@given(
    evidence=st.builds(SeedEvidence, maybe, maybe, st.booleans(), st.booleans(), st.booleans()),
    recovery=st.builds(Recovery, maybe, maybe, st.integers(0, 3)),
    bounds=st.builds(Bounds, positions, positions, positions),
)
def test_a_seed_is_given_only_where_the_invariant_holds(
    evidence: SeedEvidence, recovery: Recovery, bounds: Bounds
) -> None:
    found = decide_seed(evidence, recovery, bounds)
    assert (found.position is None) == bool(found.problem)
    if found.position is not None:
        assert len(found.sources) >= 2
        number = number_of(found.position)
        assert bounds.confirmed <= number
        assert bounds.low <= number <= bounds.high
        assert number in (evidence.replayed, evidence.tools)
        assert recovery.done is None or recovery.done < number
        assert evidence.slot
        assert evidence.low
        assert not evidence.high


@given(position=st.integers(0, (1 << 64) - 1))
def test_positions_survive_their_text(position: int) -> None:
    assert lsn(lsn_text(position)) == position


LINES = [
    "2026-01-01 00:00:00 UTC::@:[1]:LOG:  redo starts at 0/17418E0",
    "2026-01-01 00:00:00 UTC::@:[1]:LOG:  invalid record length at 0/1FB20D8: wanted 24, got 0",
    "2026-01-01 00:00:00 UTC::@:[1]:LOG:  redo done at 0/1FB20A0 system usage: CPU: user: 0.00 s",
]


def test_the_log_of_a_first_crash_recovery() -> None:
    assert read_recovery(LINES) == Recovery(lsn("0/1FB20A0"), lsn("0/1FB20D8"), 1)


def test_later_recoveries_are_counted_and_not_believed() -> None:
    later = [line.replace("1FB20", "2FB20") for line in LINES]
    assert read_recovery([*LINES, *later]) == Recovery(lsn("0/1FB20A0"), lsn("0/1FB20D8"), 2)


def test_a_log_without_recovery_says_nothing() -> None:
    assert read_recovery(["2026-01-01 00:00:00 UTC::@:[1]:LOG:  database system is ready"]) == Recovery(None, None, 0)


def test_a_recovery_that_had_nothing_to_redo_is_one() -> None:
    assert read_recovery(["2026-01-01 00:00:00 UTC::@:[1]:LOG:  redo is not required"]).count == 1
