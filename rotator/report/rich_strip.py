"""The rotation strip, for terminals: finished steps scroll by above, below them what runs and what is to come."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rotator.report.board import Board, Running
from rotator.report.interface import StepInfo, StepState
from rotator.report.text import clamp, duration, percent

MARKS = {
    StepState.TO_COME: ("·", "dim"),
    StepState.RUNNING: ("▶", "bold cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.SKIPPED: ("–", "yellow"),
    StepState.FAILED: ("✗", "bold red"),
}
BAR_WIDTH = 30


class StripReporter:
    """A live display on a rich console. Between begin and close the console belongs to it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._board = Board()
        self._rotation = ""
        self._began = clock()
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=4, transient=False)

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """Show the strip."""
        self._board = Board(steps)
        self._rotation = rotation_id
        self._began = self._clock()
        self._live.start()

    def start(self, step: str) -> None:
        """The step's bar appears."""
        self._board.start(step, self._clock())

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        """The bar moves; the screen is drawn four times a second, however often this is called."""
        self._board.progress(step, fraction, detail, self._clock())

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        """One line with the result scrolls by."""
        self._board.finish(step, StepState.DONE)
        waited = f" ({duration(waited_seconds)} waiting)" if waited_seconds else ""
        self._line(step, StepState.DONE, result, f"{duration(seconds)}{waited}")

    def skipped(self, step: str, reason: str) -> None:
        """One line with the reason scrolls by."""
        self._board.finish(step, StepState.SKIPPED)
        self._line(step, StepState.SKIPPED, f"skipped: {reason}", "")

    def failed(self, step: str, message: str) -> None:
        """One line with the message scrolls by; the strip stays with the step marked."""
        self._board.finish(step, StepState.FAILED)
        self._line(step, StepState.FAILED, message, "")

    def note(self, text: str) -> None:
        """One line scrolls by."""
        self._console.print(Text(f"  {text}"))

    def close(self) -> None:
        """Leave the last strip on the screen and give the terminal back."""
        self._board.running = None
        self._live.stop()

    def render(self) -> RenderableType:
        """The picture as of now."""
        head = Text.assemble(("rotation ", "dim"), (self._rotation, "bold"), (f"  {self._since(self._began)}", "dim"))
        parts: list[RenderableType] = [head, strip(self._board.steps)]
        running = self._board.running
        if running is not None:
            parts.append(self._bar(running))
        return Group(*parts)

    def _bar(self, running: Running) -> RenderableType:
        elapsed = self._clock() - running.began
        estimate = running.info.estimate_seconds
        about = f" of about {duration(estimate)}" if estimate else ""
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(width=BAR_WIDTH)
        line.add_column(no_wrap=True)
        fraction = running.fraction
        bar = ProgressBar(
            total=1.0, completed=clamp(fraction or 0.0), pulse=fraction is None, width=BAR_WIDTH, animation_time=elapsed
        )
        known = f"{percent(fraction)}  " if fraction is not None else ""
        line.add_row(Text(running.info.title, "bold cyan"), bar, Text(f"{known}{duration(int(elapsed))}{about}"))
        return Group(line, Text(f"  {running.detail}", "dim", no_wrap=True, overflow="ellipsis"))

    def _line(self, step: str, state: StepState, text: str, took: str) -> None:
        mark, style = MARKS[state]
        width = max((len(info.name) for info in self._board.steps), default=0)
        line = Table.grid(padding=(0, 1), expand=False)
        line.add_row(Text(mark, style), Text(step.ljust(width), "bold"), Text(text), Text(took, "dim"))
        self._console.print(line)

    def _since(self, began: float) -> str:
        return duration(int(self._clock() - began))


def strip(steps: tuple[StepInfo, ...]) -> Text:
    """All steps in one wrapping line: done, running, to come."""
    line = Text(overflow="fold")
    for step in steps:
        mark, style = MARKS[step.state]
        # No-break space, so that a mark is never parted from its step at the end of a line.
        line.append(f"{mark}\u00a0{step.name} ", style)
    line.rstrip()
    return line
