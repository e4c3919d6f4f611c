"""A live display without ghost lines after its terminal becomes narrower.

A terminal breaks what was drawn into more rows then, while rich goes up by as many lines as it had drawn. (On terminals
that cut lines off instead of breaking them, a finished line or two goes out of sight.)
"""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import Segment


class ResizingLive(Live):
    """As rich's Live, drawn four times a second."""

    def __init__(self, console: Console, picture: Callable[[], RenderableType]) -> None:
        super().__init__(console=console, get_renderable=picture, refresh_per_second=4, transient=False)
        self._live_render = _Drawn(console, self.get_renderable())


class _Drawn(LiveRender):
    """Keeps the width of each line, to compute its rows at the terminal's present width."""

    def __init__(self, console: Console, renderable: RenderableType) -> None:
        super().__init__(renderable)
        self._console = console
        self._widths: tuple[int, ...] = ()

    def position_cursor(self) -> Control:
        """Move to the first row of the drawn lines, at its present place."""
        if self._shape is not None and self._widths:
            self._shape = (self._shape[0], rows(self._widths, self._console.width))
        return super().position_cursor()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = [0]
        for segment in super().__rich_console__(console, options):
            if isinstance(segment, Segment) and segment.text == "\n":
                widths.append(0)
            elif isinstance(segment, Segment) and not segment.control:
                widths[-1] += cell_len(segment.text)
            yield segment
        self._widths = tuple(widths)


def rows(widths: tuple[int, ...], columns: int) -> int:
    """How many rows lines of these widths take on a terminal of that many columns."""
    return sum(max(1, -(-width // max(1, columns))) for width in widths)
