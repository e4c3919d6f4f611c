"""The write canary's own log: what each client tried and what the database acknowledged, one file per writer.

Lines: `T seq` before the first attempt of a number, `A seq seconds` after its acknowledgement, `F` or `U seq seconds
code` after a failure; seconds are of the monotonic clock, which all writers of one machine's uptime share. Each line is
with the kernel before the writer goes on, so that a killed canary has forgotten nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class Kind(StrEnum):
    """The result of a numbered transaction."""

    TRY = "T"  # first attempt of this number
    ACK = "A"  # the database acknowledged the commit, or the row was found after an unknown fate
    UNKNOWN = "U"  # the connection broke during the commit: it may or may not have happened
    FAIL = "F"  # refused or broken before the commit was sent: it did not happen


_KINDS = {kind.value: kind for kind in Kind}
_TRY = Kind.TRY


class Entry(NamedTuple):
    """One line; `at` is 0 for TRY. `code` says what a failure was: an SQLSTATE, or a word without one."""

    kind: Kind
    seq: int
    at: float = 0.0
    code: str = ""


class WriterLog:
    """Appends to one writer's file."""

    def __init__(self, folder: Path, writer: int) -> None:
        self._descriptor = os.open(path(folder, writer), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._descriptor).st_size
        if size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._write("?\n")  # what was cut off must stay unreadable: half a number is a number too

    def tried(self, seq: int) -> None:
        """Before the first attempt."""
        self._write(f"{Kind.TRY} {seq}\n")

    def acknowledged(self, seq: int) -> None:
        """After the commit."""
        self._write(f"{Kind.ACK} {seq} {time.monotonic():.4f}\n")

    def failed(self, kind: Kind, seq: int, code: str) -> None:
        """After a failure of either kind."""
        self._write(f"{kind} {seq} {time.monotonic():.4f} {code}\n")

    def close(self) -> None:
        os.close(self._descriptor)

    def _write(self, line: str) -> None:
        os.write(self._descriptor, line.encode())


class Tail:
    """Reads one writer's file on from where it stopped."""

    def __init__(self, folder: Path, writer: int) -> None:
        self._path = path(folder, writer)
        self._offset = 0

    def entries(self) -> Iterator[Entry]:
        """What is new, in order; a line that is still being written is left for the next time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            block = file.read()
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():  # after an hour there are millions
            if line[-1] == "?":
                continue
            fields = line.split(" ")
            kind = _KINDS[fields[0]]
            if kind is _TRY:
                yield Entry(kind, int(fields[1]))
            else:
                yield Entry(kind, int(fields[1]), float(fields[2]), "".join(fields[3:]))


def path(folder: Path, writer: int) -> Path:
    """File of one writer."""
    return folder / f"writer-{writer}.log"


def writers(folder: Path) -> tuple[int, ...]:
    """Numbers of the writers that have a log in `folder`."""
    return tuple(sorted(int(each.stem.removeprefix("writer-")) for each in folder.glob("writer-*.log")))


def last_tried(folder: Path, writer: int) -> int:
    """The last number that was tried; 0 when none was."""
    return max((entry.seq for entry in Tail(folder, writer).entries()), default=0)
