import io

import pytest
from rich.console import Console

from rotator.report.interface import StepInfo, StepState
from rotator.report.rich_strip import StripReporter, strip

STEPS = (
    StepInfo("key", "Create the new key", 35, StepState.DONE),
    StepInfo("fence", "Stop writes", 1),
    StepInfo("snapshot", "Snapshot blue", 30),
    StepInfo("validate", "Compare green with blue"),
)


class Terminal:
    """A console that keeps what would be on a terminal of 100 columns, and a clock that stands still."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=100, force_terminal=True, color_system=None, legacy_windows=False)
        self.now = 0.0
        self.reporter = StripReporter(self.console, lambda: self.now)

    def picture(self) -> str:
        plain = Console(file=io.StringIO(), width=100, color_system=None)
        with plain.capture() as capture:
            plain.print(self.reporter.render())
        return capture.get()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_the_strip_shows_done_running_and_to_come() -> None:
    steps = tuple(
        StepInfo(state.value, "", 0, state)
        for state in (StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.RUNNING, StepState.TO_COME)
    )
    assert strip(steps).plain.replace("\u00a0", " ") == "✓ done – skipped ✗ failed ▶ running · to-come"


def test_the_running_step_has_progress_elapsed_time_and_estimate(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.start("snapshot")
    terminal.now = 12.0
    terminal.reporter.progress("snapshot", 0.45, "creating, 45 %")
    picture = terminal.picture()
    terminal.reporter.close()
    assert "rotation local-0001" in picture
    assert "✓\u00a0key ·\u00a0fence ▶\u00a0snapshot ·\u00a0validate" in picture
    assert "Snapshot blue" in picture
    assert "45 %  12 s of about 30 s" in picture
    assert "creating, 45 %" in picture


def test_a_finished_step_scrolls_by_with_its_result_and_leaves_no_bar(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.start("snapshot")
    terminal.reporter.done("snapshot", "snap-1", 31.0, 28.0)
    terminal.reporter.skipped("validate", "no access")
    terminal.reporter.note("a note")
    assert "Snapshot blue" not in terminal.picture()
    terminal.reporter.close()
    text = terminal.out.getvalue()
    assert "snap-1" in text
    assert "31 s (28 s waiting)" in text
    assert "skipped: no access" in text
    assert "a note" in text


def test_texts_from_outside_are_never_read_as_markup(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.failed("key", 'module.key["g1"] [red]denied[/red]')
    terminal.reporter.note("[bold]as it is[/bold]")
    terminal.reporter.close()
    assert 'module.key["g1"] [red]denied[/red]' in terminal.out.getvalue()
    assert "[bold]as it is[/bold]" in terminal.out.getvalue()


def test_a_step_that_was_done_and_waits_again_is_shown_as_running(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.progress("key", None, "waiting")
    picture = terminal.picture()
    terminal.reporter.close()
    assert "▶\u00a0key" in picture


def test_close_gives_the_cursor_back_even_twice(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.close()
    terminal.reporter.close()
    shown, hidden = terminal.out.getvalue().rfind("\x1b[?25h"), terminal.out.getvalue().rfind("\x1b[?25l")
    assert shown > hidden >= 0
