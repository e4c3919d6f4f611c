"""Live progress for terminals: finished steps scroll by above, the running and coming ones stay below."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rotator.report.live.board import Board, Running
from rotator.report.live.interface import StepInfo, StepState
from rotator.report.live.resizing import ResizingLive
from rotator.report.text import clamp, duration, fitted, percent, roughly

MARKS = {
    StepState.TO_COME: ("·", "dim"),
    StepState.RUNNING: ("▶", "bold cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.SKIPPED: ("–", "yellow"),
    StepState.FAILED: ("✗", "bold red"),
}
BAR_WIDTH, BAR_LEAST = 30, 10


class StripReporter:
    """A live display on a rich console. Between begin and close the console belongs to it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._board = Board()
        self._rotation = ""
        self._began = clock()
        self._live = ResizingLive(console, self.render)

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """Show the live progress."""
        self._board = Board(steps)
        self._rotation = rotation_id
        self._began = self._clock()
        # A new display: a restarted one would draw over its own last lines.
        self._live = ResizingLive(self._console, self.render)
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
        for line in fitted(f"  {text}", self._console.width).splitlines():
            self._console.print(Text(line), soft_wrap=True)

    def close(self) -> None:
        """Leave the last lines on the screen and release the terminal."""
        self._board.running = None
        self._live.stop()

    def refresh(self) -> None:
        """Draw now, and not only with the next of the four times a second."""
        self._live.refresh()

    def render(self) -> RenderableType:
        """The lines as they are now."""
        left = self._board.left(self._clock())
        more = f", about {roughly(left)} to go (small database)" if left else ""
        since = f"  {self._since(self._began)}{more}"
        head = Text.assemble(("rotation ", "dim"), (self._rotation, "bold"), (since, "dim"))
        parts: list[RenderableType] = [head, strip(self._board.steps, self._console.width)]
        running = self._board.running
        if running is not None:
            parts += self._bar(running, self._console.width)
        return Group(*parts)

    def _bar(self, running: Running, width: int) -> Iterator[RenderableType]:
        """Title, bar and time in one line where they fit; else the title has a line of its own. Time is never cut."""
        elapsed = self._clock() - running.began
        estimate = running.info.estimate_seconds
        about = f" of about {duration(estimate)}" if estimate else ""
        known = f"{percent(running.fraction)}  " if running.fraction is not None else ""
        time_ = f"{known}{duration(int(elapsed))}{about}"
        title = Text(running.info.title, "bold cyan", no_wrap=True, overflow="ellipsis")
        room = width - len(time_) - 1
        if room - cell_len(title.plain) - 1 >= BAR_LEAST:
            room -= cell_len(title.plain) + 1
        else:
            yield title
            title = Text()
        bar = ProgressBar(
            total=1.0,
            completed=clamp(running.fraction or 0.0),
            pulse=running.fraction is None,
            width=max(1, min(BAR_WIDTH, room)),
            animation_time=elapsed,
        )
        line = Table.grid(padding=(0, 1))
        parts: list[Text | ProgressBar] = [*([title] if title else []), bar, Text(time_, no_wrap=True)]
        for _ in parts:
            line.add_column(no_wrap=True)
        line.add_row(*parts)
        yield line
        yield Text(f"  {running.detail}", "dim", no_wrap=True, overflow="ellipsis")

    def _line(self, step: str, state: StepState, text: str, took: str) -> None:
        """One line, or several below each other; words are never broken, so that names can be copied."""
        mark, style = MARKS[state]
        width = max((len(info.name) for info in self._board.steps), default=0)
        told = fitted(f"{mark} {step:<{width}}  {text}{'  ' if text and took else ''}{took}", self._console.width)
        for number, part in enumerate(told.splitlines()):
            line = Text(part)
            if number == 0:
                line.stylize(style, 0, 1)
                line.stylize("bold", 2, 2 + len(step))
            self._console.print(line, soft_wrap=True)

    def _since(self, began: float) -> str:
        return duration(int(self._clock() - began))


def strip(steps: tuple[StepInfo, ...], width: int = 10_000) -> Text:
    """All steps, wrapped at `width`: done, running, to come. A mark is never separated from its step."""
    line, used = Text(), 0
    for step in steps:
        mark, style = MARKS[step.state]
        # No-break space, which rich breaks at all the same: so lines are made here.
        part = f"{mark}\u00a0{step.name}"
        if used and used + 1 + cell_len(part) > width:
            line.append("\n")
            used = 0
        elif used:
            line.append(" ")
            used += 1
        line.append(part, style)
        used += cell_len(part)
    return line
