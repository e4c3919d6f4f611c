import io

import pytest

from rotator.report.live.interface import StepInfo, StepState
from rotator.report.live.plain import PlainReporter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(out: io.StringIO, clock: Clock) -> PlainReporter:
    return PlainReporter(out, clock)


STEPS = (
    StepInfo("key", "Create the new key", 35, StepState.DONE),
    StepInfo("snapshot", "Snapshot blue", 30),
    StepInfo("validate", "Compare green with blue"),
)


def test_a_step_has_a_line_at_its_start_and_one_at_its_end(reporter: PlainReporter, out: io.StringIO) -> None:
    reporter.begin("local-0001", STEPS)
    reporter.start("snapshot")
    reporter.done("snapshot", "snap-1", 31.2, 28.0)
    reporter.skipped("validate", 'database.access = "none"')
    reporter.failed("key", "gone")
    assert out.getvalue().splitlines() == [
        "rotation local-0001: 3 steps, 1 of them before this run, about 30 s for a small database",
        "[2/3] snapshot: start (Snapshot blue, about 30 s)",
        "[2/3] snapshot: done in 31 s, 28 s of it waiting for AWS: snap-1",
        '[3/3] validate: SKIPPED: database.access = "none"',
        "[1/3] key: FAILED: gone",
    ]


def test_progress_comes_every_ten_seconds_and_only_when_it_changed(
    reporter: PlainReporter, out: io.StringIO, clock: Clock
) -> None:
    reporter.begin("r", STEPS)
    reporter.start("snapshot")
    out.truncate(0)
    out.seek(0)
    for second in range(31):
        clock.now = 100.0 + second
        reporter.progress("snapshot", 0.1 if second < 15 else 0.5, "creating")
    assert out.getvalue().splitlines() == ["[2/3] snapshot: 10 % creating", "[2/3] snapshot: 50 % creating"]


def test_progress_without_a_fraction_says_what_is_known(
    reporter: PlainReporter, out: io.StringIO, clock: Clock
) -> None:
    reporter.start("soak")
    clock.now += 10
    reporter.progress("soak", None, "until tomorrow")
    reporter.progress("soak", None, "")
    assert out.getvalue().splitlines()[1:] == ["[1/1] soak: until tomorrow"]


def test_a_step_that_was_never_announced_is_no_error(reporter: PlainReporter, out: io.StringIO) -> None:
    reporter.begin("r", ())
    reporter.done("late", "", 1.0, 0.0)
    assert out.getvalue().splitlines()[1] == "[1/1] late: done in 1.0 s"


def test_notes_stand_alone_and_close_is_idempotent(reporter: PlainReporter, out: io.StringIO) -> None:
    reporter.note("Interrupted: the fence stays on.")
    reporter.close()
    reporter.close()
    assert out.getvalue() == "Interrupted: the fence stays on.\n"


def test_a_step_that_says_nothing_is_heard_of_all_the_same(
    reporter: PlainReporter, out: io.StringIO, clock: Clock
) -> None:
    reporter.begin("local-0001", STEPS)
    reporter.start("snapshot")
    for seconds in (5, 14, 5, 60):
        clock.now += seconds
        reporter.beat()
    reporter.done("snapshot", "", 84, 0)
    clock.now += 100
    reporter.beat()
    reporter.close()
    assert [line for line in out.getvalue().splitlines() if "at work" in line] == [
        "[2/3] snapshot: at work for 24 s",
        "[2/3] snapshot: at work for 1 min 24 s",
    ]
