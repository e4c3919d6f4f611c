"""Durations, shares and counts as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

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


def percent(fraction: float) -> str:
    """A fraction 0..1 as '45 %'; what is out of range is brought into it."""
    return f"{round(100 * clamp(fraction))} %"


def clamp(fraction: float) -> float:
    """The fraction, brought into 0..1."""
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
