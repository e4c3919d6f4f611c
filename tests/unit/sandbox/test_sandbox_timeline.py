"""Statuses are a function of the clock alone."""

from __future__ import annotations

import pytest

from rotator.config.schema import SandboxConfig
from rotator.sandbox.aws.timeline import Durations, Timeline, settled

LINE = Timeline(100.0, (("creating", 8.0), ("backing-up", 2.0)), "available")


@pytest.mark.parametrize(
    ("now", "status", "percent"),
    [(100.0, "creating", 0), (107.9, "creating", 79), (108.0, "backing-up", 80), (110.0, "available", 100)],
)
def test_status_and_percentage_follow_the_clock(now: float, status: str, percent: int) -> None:
    assert (LINE.status(now), LINE.percent(now), LINE.over(now)) == (status, percent, status == "available")


def test_a_settled_status_is_there_at_once() -> None:
    assert (settled("stopped").status(0.0), settled("stopped").percent(0.0)) == ("stopped", 100)


def test_nothing_takes_time_when_the_config_says_so() -> None:
    none = Durations.of(SandboxConfig(create_seconds=0, snapshot_seconds=0, copy_seconds=0, restore_seconds=0))
    assert set(vars(none).values()) == {0}
    assert Timeline(5.0, (("creating", 0.0),), "available").status(5.0) == "available"
