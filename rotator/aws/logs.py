"""The database's own log files, and how the pages that RDS hands out become lines. Pure: the calls are in rds.py.

Sources: RDS API Reference, DescribeDBLogFiles and DownloadDBLogFilePortion. That a page over 1 MB is cut within a line,
ends in a notice, and may claim that nothing follows, the reference does not say: aws/aws-sdk issue 20, aws/aws-cli
issues 2268 and 3079.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.errors import AwsError

PAGE_LINES = 2000
"""Lines per request: with lines of up to 500 bytes a page stays below 1 MB."""

CUT = " [Your log message was truncated]"
"""What RDS puts at the end of a page that it cut at 1 MB."""


@dataclass(frozen=True)
class LogFile:
    """One log file; `last_written` is in UTC, `size` in bytes. RDS begins a new file every hour."""

    name: str
    last_written: datetime
    size: int


@dataclass(frozen=True)
class Page:
    """One answer of DownloadDBLogFilePortion: `marker` is where the next begins, `more` what RDS says of it."""

    text: str
    marker: str
    more: bool

    @property
    def cut(self) -> bool:
        """Whether the end of its last line is missing."""
        return self.text.rstrip("\n").endswith(CUT)


Read = Callable[[str, int], Page]
"""(marker, number of lines) -> the page that begins there."""


def lines_of(read: Read, what: str) -> Iterator[str]:
    """Every line from the beginning to what is written by now, without its newline; pages are read as needed.

    A line longer than 1 MB is whole only if RDS goes on where it cut. `what` names the log for people. Raises AwsError.
    """
    rest = ""
    for text in _texts(read, what):
        *whole, rest = (rest + text).split("\n")
        yield from whole
    if rest:
        yield rest


def split(text: str) -> tuple[str, ...]:
    """The lines of one page by itself."""
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def _texts(read: Read, what: str) -> Iterator[str]:
    """Pages without gaps. It ends with an empty one: RDS has been seen to say too early that nothing follows."""
    marker, lines = "0", PAGE_LINES
    while True:
        page = read(marker, lines)
        if page.cut and lines > 1:
            lines //= 2  # what was cut off would be lost: ask again, for less
            continue
        if not page.text and not page.more:
            return
        if page.more and page.marker == marker:
            raise AwsError(
                f"RDS does not hand out all of the {what}.",
                why=f"rds:DownloadDBLogFilePortion gives marker {marker} again, as if nothing had been read",
                fix="Run it again; see the AWS Health Dashboard when it goes on.",
            )
        yield page.text.rstrip("\n").removesuffix(CUT) if page.cut else page.text
        if page.marker == marker:
            return
        marker = page.marker
