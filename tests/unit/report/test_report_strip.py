import io
import re

import pytest
from rich.console import Console

from rotator.report.live.interface import StepInfo, StepState
from rotator.report.live.rich_strip import StripReporter, strip

STEPS = (
    StepInfo("key", "Create the new key", 35, StepState.DONE),
    StepInfo("fence", "Stop writes", 1),
    StepInfo("snapshot", "Snapshot blue", 30),
    StepInfo("validate", "Compare green with blue"),
)


class Terminal:
    """A console that keeps what would be on a terminal, and a clock that stands still."""

    def __init__(self, width: int = 100) -> None:
        self.width, self._read = width, 0
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=width, force_terminal=True, color_system=None, legacy_windows=False)
        self.now = 0.0
        self.reporter = StripReporter(self.console, lambda: self.now)

    def picture(self) -> str:
        plain = Console(file=io.StringIO(), width=self.width, color_system=None)
        with plain.capture() as capture:
            plain.print(self.reporter.render())
        return capture.get()

    def drawn(self) -> str:
        """What was written since the last call."""
        text = self.out.getvalue()
        self._read, new = len(text), text[self._read :]
        return new


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


LONG = (
    StepInfo("preflight", "Check that the rotation can work", 5, StepState.DONE),
    StepInfo("re-encrypt", "Copy the snapshot under the new key", 60, StepState.DONE),
    StepInfo("cutover", "Fence blue, drain, and flip the record to green", 600),
    StepInfo("restore-ttl", "Put the record's own TTL back", 40),
)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("fraction", [None, 0.07])
def test_at_no_width_the_time_is_cut_or_a_word_broken(width: int, fraction: float | None) -> None:
    terminal = Terminal(width)
    terminal.reporter.begin("local-g1", LONG)
    terminal.reporter.start("cutover")
    terminal.now = 130.0
    terminal.reporter.progress("cutover", fraction, 'module.database["g1"].aws_db_instance.this: creating, 2 min')
    picture = terminal.picture()
    terminal.reporter.close()
    lines = picture.splitlines()
    assert max(map(len, lines)) <= width
    known = "7 %  " if fraction else ""
    assert any(line.rstrip().endswith(f"{known}2 min 10 s of about 10 min 00 s") for line in lines)
    assert any("Fence blue, drain, and" in line for line in lines)
    assert all(not line.rstrip().endswith(("✓", "▶", "·")) for line in lines)
    assert {"cutover", "restore-ttl"} <= set(picture.replace("\u00a0", " ").split())


def test_the_head_has_an_estimate_of_the_whole(terminal: Terminal) -> None:
    terminal.reporter.begin("local-g1", LONG)
    assert "about 11 min to go (small database)" in terminal.picture()
    terminal.reporter.start("cutover")
    terminal.now = 500.0
    assert "about 2 min to go" in terminal.picture()
    terminal.reporter.progress("cutover", 0.5, "")
    assert "about 9 min to go" in terminal.picture()
    terminal.reporter.done("cutover", "", 600, 0)
    terminal.reporter.done("restore-ttl", "", 40, 0)
    assert "to go" not in terminal.picture()
    terminal.reporter.close()


def test_results_are_wrapped_between_words_alone(terminal: Terminal) -> None:
    arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab-and-longer"
    terminal.reporter.begin("local-g1", LONG)
    terminal.reporter.done("cutover", f"{'some words ' * 12}{arn}", 1.0, 0.0)
    terminal.reporter.note(f"a note {arn}")
    terminal.reporter.close()
    assert terminal.out.getvalue().count(arn) == 2


@pytest.mark.parametrize(("before", "after"), [(120, 60), (120, 31), (80, 79), (60, 120)])
def test_a_resize_leaves_no_ghost(before: int, after: int) -> None:
    """What is drawn goes through a terminal that breaks lines as real ones do when they are made narrower."""
    terminal, screen = Terminal(before), Screen(before)
    terminal.reporter.begin("local-g1", LONG)
    terminal.reporter.start("cutover")
    for width in (before, after, after):
        screen.resize(width)
        terminal.console.width = width
        terminal.reporter.progress("cutover", 0.5, "a detail that is long enough to be cut off, " * 4)
        terminal.reporter.refresh()
        screen.feed(terminal.drawn())
        text = "\n".join(screen.rows())
        assert text.count("rotation local-g1") == 1, text
        assert text.count("Fence blue") == 1, text
        assert text.count("a detail") >= 1
    terminal.reporter.close()


class Screen:
    """As much of a terminal as the strip uses: text, new lines, up, erase a line; wide lines are broken into rows."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = [""]
        self.row = 0

    def rows(self) -> list[str]:
        return [row for line in self.lines for row in self._broken(line)]

    def resize(self, width: int) -> None:
        """Lines are broken anew; the cursor stays at the end of its line."""
        ends = [sum(len(self._broken(line)) for line in self.lines[: n + 1]) for n in range(len(self.lines))]
        line = next(n for n, end in enumerate(ends) if self.row < end)
        self.width = width
        self.row = sum(len(self._broken(text)) for text in self.lines[: line + 1]) - 1

    def _broken(self, line: str) -> list[str]:
        return [line[at : at + self.width] for at in range(0, max(1, len(line)), self.width)]

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part.startswith("\x1b["):
                self._control(part)
            elif part == "\n":
                self.row += 1
                if self.row == len(self.rows()):
                    self.lines.append("")
            elif part != "\r":
                self._put(part)

    def _control(self, code: str) -> None:
        if code.endswith("A"):
            self.row = max(0, self.row - int(code[2:-1] or 1))
        elif code.endswith("K"):
            self._put("")

    def _put(self, text: str) -> None:
        """A row that is written to becomes a line of its own, as it is after an erase."""
        rows = self.rows()
        rows[self.row] = text
        self.lines = rows


def test_a_second_strip_leaves_the_first_one_on_the_screen(terminal: Terminal) -> None:
    terminal.reporter.begin("local-0001", STEPS)
    terminal.reporter.close()
    terminal.drawn()
    terminal.reporter.begin("local-0002", STEPS)
    terminal.reporter.close()
    before, _, _ = terminal.drawn().partition("local-0002")
    assert "\x1b[1A" not in before, "the cursor may not go up into it"
