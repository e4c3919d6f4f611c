"""Durations, shares and counts as people read them. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_GAP = re.compile(r"(?<=\S) {2,}(?=\S)")
MINUTE, HOUR, DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Seconds in words: '0.31 s', '4.2 s', '31 s', '2 min 05 s', '3 h 07 min', '2 d 04 h'; below 0 counts as 0."""
    seconds = max(0.0, seconds)
    if round(seconds, 1) < 10:
        return f"{seconds:.2g} s" if seconds < 0.995 else f"{seconds:.1f} s"
    return _long(round(seconds))


def _long(seconds: int) -> str:
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min {seconds % MINUTE:02d} s"
    if seconds < DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE:02d} min"
    return f"{seconds // DAY} d {seconds % DAY // HOUR:02d} h"


def roughly(seconds: float) -> str:
    """An estimate: '40 s', '6 min', '2 h 10 min'."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60 // 10 * 10:02d} min"


def fitted(text: str, width: int | None) -> str:
    """Lines broken only at spaces, no longer than `width` where words allow it; None changes nothing.

    What follows a label and two spaces or more stays in its column.
    """
    if width is None:
        return text
    return "".join(f"{line}\n" for old in text.splitlines() for line in _fit(old, max(width, 40)))


def _fit(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    column = max((gap.end() for gap in _GAP.finditer(line[: width // 2])), default=0) or len(line) - len(line.lstrip())
    parts = textwrap.wrap(line[column:], max(20, width - column), break_long_words=False, break_on_hyphens=False)
    first = line[:column].rstrip()
    if len(parts[0]) > width - column and first:
        # Too long a word for the column may still fit into a line of its own.
        return [first, *(_placed(part, column, width) for part in parts)]
    return [f"{line[:column]}{parts[0]}", *(_placed(part, column, width) for part in parts[1:])]


def _placed(part: str, column: int, width: int) -> str:
    return " " * max(0, min(column, width - len(part))) + part


def percent(fraction: float) -> str:
    """A fraction as '45 %', limited to 0..1."""
    return f"{round(100 * clamp(fraction))} %"


def clamp(fraction: float) -> float:
    """The fraction, limited to 0..1."""
    return min(1.0, max(0.0, fraction))


def count(number: int, noun: str) -> str:
    """'1 table', '1,204 tables'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def aligned(rows: Iterable[tuple[str, str]], indent: str = "  ") -> list[str]:
    """Label and value in two columns; a value of several lines stays in its column; empty values are left out."""
    kept = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in kept), default=0)
    lines: list[str] = []
    for label, value in kept:
        for number, part in enumerate(value.splitlines()):
            lines.append(f"{indent}{label if number == 0 else '':<{width}}  {part}".rstrip())
    return lines
