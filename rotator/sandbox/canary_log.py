"""The write canary's own log: what each client tried and what the database acknowledged, one file per writer.

Line: kind, seq, monotonic seconds, Unix seconds. Each line reaches the kernel before the writer goes on, so that a
killed canary has forgotten nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What became of a numbered write."""

    TRY = "T"  # first attempt of this number
    ACK = "A"  # the database acknowledged the commit, or the row was found after an unknown fate
    UNKNOWN = "U"  # the connection broke during the commit: it may or may not have happened
    FAIL = "F"  # refused or broken before the commit was sent: it did not happen


@dataclass(frozen=True)
class Entry:
    """One line. `monotonic` is comparable between the writers of one machine's uptime; `unix` is for people."""

    kind: Kind
    seq: int
    monotonic: float
    unix: float


class WriterLog:
    """Appends to one writer's file."""

    def __init__(self, folder: Path, writer: int) -> None:
        self._path = path(folder, writer)
        self._file = self._path.open("a", buffering=1)

    def add(self, kind: Kind, seq: int) -> None:
        """Append one line; it is with the kernel when this returns."""
        self._file.write(f"{kind} {seq} {time.monotonic():.4f} {time.time():.3f}\n")

    def close(self) -> None:
        self._file.close()


def path(folder: Path, writer: int) -> Path:
    """File of one writer."""
    return folder / f"writer-{writer}.log"


def writers(folder: Path) -> tuple[int, ...]:
    """Numbers of the writers that have a log in `folder`."""
    return tuple(sorted(int(each.stem.removeprefix("writer-")) for each in folder.glob("writer-*.log")))


def read(folder: Path, writer: int) -> Iterator[Entry]:
    """Lines of one writer in order; a line that is still being written is left out."""
    file = path(folder, writer)
    if not file.exists():
        return
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            kind, seq, monotonic, unix = line.split()
            yield Entry(Kind(kind), int(seq), float(monotonic), float(unix))


def ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sorted runs: {1, 2, 3, 7} -> ((1, 3), (7, 7))."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)
