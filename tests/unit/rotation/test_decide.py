"""The decider, over every combination."""

from __future__ import annotations

import itertools

import pytest

from rotator.journal.step_record import Status
from rotator.rotation.decide import Move, decide
from rotator.rotation.steps.observation import Kind

EVERY = list(itertools.product(Status, Kind))


@pytest.mark.parametrize(("status", "kind"), EVERY)
def test_acts_only_on_what_the_world_calls_absent_and_the_journal_does_not_call_done(
    status: Status, kind: Kind
) -> None:
    if decide(status, kind) is Move.ACT:
        assert kind is Kind.ABSENT
        assert status not in (Status.DONE, Status.ACTED)


@pytest.mark.parametrize(("status", "kind"), EVERY)
def test_a_conflict_always_stops_and_nothing_else_stops_as_one(status: Status, kind: Kind) -> None:
    assert (decide(status, kind) is Move.STOP_CONFLICT) == (kind is Kind.CONFLICT)


@pytest.mark.parametrize("kind", [Kind.ABSENT, Kind.NEEDS_APPROVAL])
def test_done_in_the_journal_and_absent_in_the_world_is_never_redone(kind: Kind) -> None:
    assert decide(Status.DONE, kind) is Move.STOP_LOST


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DONE])
def test_what_is_found_is_verified_before_it_counts(status: Status) -> None:
    assert decide(status, Kind.SATISFIED) is Move.VERIFY
