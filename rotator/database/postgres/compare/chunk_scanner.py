"""Blue's side of an online comparison: which ranges there are, and what blue has in them, in short batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import Content, Reader
from rotator.database.postgres.compare.reconciliation import Listing, RowReconciliation

BATCH_SECONDS = 0.25
BATCH_READINGS = 256
"""A batch ends at either. The longer it is, the more is written between the readings of blue and of green. One of new
ranges also ends when green has nothing to do: then neither server waits for the other for longer than one reading."""

PARTS = 8
FEW_ROWS = 256
"""Ranges of so many rows are not split, but looked at row by row."""

MOST_SPLITS = 12
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Split:
    """An unequal range to be read again in parts; how many rows each side had, and how often it was split before."""

    chunk: Chunk
    blue_rows: int
    green_rows: int
    splits: int


Item = Split | RowReconciliation


@dataclass(frozen=True)
class Ranged:
    """What blue has in a range."""

    chunk: Chunk
    blue: Content
    splits: int


@dataclass(frozen=True)
class Listed:
    """Blue's rows of a watched range."""

    reconciliation: RowReconciliation
    blue: Listing


Reading = Ranged | Listed


class BlueSide:
    """Belongs to blue's thread; `scanned` may be read by the other between two batches."""

    def __init__(self, blue: Reader, scout: Reader, seeds: Sequence[Chunk], chunk_rows: int) -> None:
        self._blue = blue
        self._scout = scout
        self._new = (found for seed in seeds for found in scan_chunks(blue, seed, chunk_rows))
        self.awaited = threading.Event()
        """Set by the other thread, while it has nothing to do but wait for the batch."""
        self.scanned = not seeds

    def read(self, items: Sequence[Item]) -> tuple[list[Reading], list[Item]]:
        """Read blue for the items, or for new ranges if there are none; what there was no time for comes back."""
        ends = time.monotonic() + BATCH_SECONDS
        readings: list[Reading] = []
        left = list(reversed(items))
        while len(readings) < BATCH_READINGS and (not readings or time.monotonic() < ends):
            if readings and not items and self.awaited.is_set():
                break
            if left:
                readings += self._readings(left.pop())
            elif items or not self._next(readings):
                break
        return readings, left

    def _next(self, readings: list[Reading]) -> bool:
        found = next(self._new, None)
        if found is None:
            self.scanned = True
            return False
        readings.append(Ranged(*found, 0))
        return True

    def _readings(self, item: Item) -> list[Reading]:
        if isinstance(item, RowReconciliation):
            return [Listed(item, listing(self._blue, item.chunk))]
        # The side with more rows says where to split: rows that only green has may lie in one place.
        side, rows = (
            (self._blue, item.blue_rows) if item.blue_rows >= item.green_rows else (self._scout, item.green_rows)
        )
        parts = list(parts_of(side, item.chunk, -(-rows // PARTS)))
        return [Ranged(chunk, self._blue.content(chunk), item.splits) for chunk in parts]


def scan_chunks(reader: Reader, seed: Chunk, chunk_rows: int) -> Iterator[tuple[Chunk, Content]]:
    """`seed` in ranges of `chunk_rows` rows each, with their contents; all of it at once if the table has no key."""
    key = reader.shapes[seed.name].key
    rest = replace(seed, key=tuple(column.name for column in key))
    if not key:
        rest = replace(rest, low=None, high=None)
        yield rest, reader.content(rest)
        return
    while True:
        part, content = reader.first(rest, chunk_rows)
        if part.high == rest.high:
            yield rest, content
            return
        yield part, content
        rest = replace(rest, low=part.high)


def parts_of(reader: Reader, chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """The chunk in ranges of `rows` rows; the last ends where the chunk does, so that nothing falls between."""
    rest = chunk
    while (end := reader.boundary(rest, rows)) is not None and end != chunk.high:
        yield replace(rest, high=end)
        rest = replace(rest, low=end)
    yield rest


def listing(reader: Reader, chunk: Chunk) -> Listing:
    """The chunk's rows by key; those of a table without a key as one entry, if there are any."""
    if chunk.key:
        return reader.listed(chunk, MOST_LISTED)
    content = reader.versioned(chunk)
    return {(): content} if content.rows else {}
