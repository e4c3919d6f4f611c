"""Contents of two servers compared while one is written to and the other follows it: by ranges of the key.

A range is read on blue, then everything that blue had committed is awaited on green, then it is read there. Equal:
done, as replication has it from here on. Unequal: written to meanwhile, or different; such a range is split and read
again, and where few rows are left, they are looked at one by one (`watch`). While green reads, blue reads what is next.

Nothing here pauses a writer, and no snapshot is held longer than one range takes to be read (a table without a key is
one range). Blue's commits must become visible there soon after they are sent: with synchronous standbys, they need not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby

from rotator.database.interface import Target
from rotator.database.postgres.compare.chunk_scanner import (
    FEW_ROWS,
    MOST_LISTED,
    MOST_SPLITS,
    BlueSide,
    Item,
    Listed,
    Ranged,
    Reading,
    Split,
    listing,
)
from rotator.database.postgres.compare.chunks import Chunk, OnlineReport
from rotator.database.postgres.compare.reader import Content, Reader, reader
from rotator.database.postgres.compare.reconciliation import Outcome, RowReconciliation, look
from rotator.database.postgres.compare.tally import Tally
from rotator.domain.database import Table
from rotator.domain.progress import Progress

CHUNK_ROWS = 100_000
RECONCILED_AT_ONCE = 128
SPLIT_AT_ONCE = 32


def verify_online(
    source: Target,
    target: Target,
    tables: Sequence[Table],
    caught_up: Callable[[], None],
    progress: Progress,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> OnlineReport:
    """Compare `tables` (ordinary ones, leaves of partitioned ones) of `source` (blue) with those of `target` (green).

    `caught_up()` returns once green has applied everything that blue had committed when it was called. It is called
    from this thread, while another reads blue. Raises DatabaseError, and whatever `caught_up` raises.
    """
    chunks = dict.fromkeys(Chunk(table.database, table.schema, table.name) for table in tables)
    tally = Tally(sum(max(table.estimated_rows, 1) for table in tables))
    return _verify(source, target, chunks, tally, caught_up, progress, chunk_rows)


def verify_again(
    source: Target, target: Target, unsettled: Sequence[Chunk], caught_up: Callable[[], None], progress: Progress
) -> OnlineReport:
    """Compare only `unsettled` chunks of an earlier report: what is quiet by now needs no look inside the fence."""
    return _verify(source, target, unsettled, Tally(len(unsettled)), caught_up, progress, CHUNK_ROWS)


def _verify(
    source: Target,
    target: Target,
    chunks: Iterable[Chunk],
    tally: Tally,
    caught_up: Callable[[], None],
    progress: Progress,
    chunk_rows: int,
) -> OnlineReport:
    ordered = sorted(chunks, key=lambda chunk: chunk.database)
    for database, group in groupby(ordered, key=lambda chunk: chunk.database):
        seeds = list(group)
        names = sorted({(chunk.schema, chunk.table) for chunk in seeds})
        with ExitStack() as opened:
            # Green is read by two threads: `scout` finds boundaries where green has more rows than blue.
            blue, scout, green = (
                opened.enter_context(reader(side, database, names)) for side in (source, target, target)
            )
            side = BlueSide(blue, scout, seeds, chunk_rows)
            _Comparison(side, green, tally, caught_up, progress).run()
    progress(1.0, f"{sum(each.rows for each in tally.tables.values()):,} rows compared")
    return tally.report(dict.fromkeys(chunk.name for chunk in ordered))


class _Comparison:
    """One database: what is to be read, and the loop. Blue's thread is one batch ahead."""

    def __init__(
        self, side: BlueSide, green: Reader, tally: Tally, caught_up: Callable[[], None], progress: Progress
    ) -> None:
        self._side = side
        self._green = green
        self._tally = tally
        self._caught_up = caught_up
        self._progress = progress
        self._reconciliations: deque[RowReconciliation] = deque()
        self._splits: list[Split] = []

    def run(self) -> None:
        """Until nothing is left to read."""
        with ThreadPoolExecutor(1, thread_name_prefix="blue") as pool:
            flying = self._launch(pool)
            while flying is not None:
                self._side.awaited.set()
                batch, left = flying.result()
                self._queue(left)
                flying = self._launch(pool)
                if batch:
                    self._caught_up()
                for reading in batch:
                    self._judge(reading)
                flying = flying or self._launch(pool)

    def _launch(self, pool: ThreadPoolExecutor) -> Future[tuple[list[Reading], list[Item]]] | None:
        """The next batch: rows under watch (alone, so that a round is short), then unequal ranges, then new ones."""
        items: list[Item] = []
        crowd = len(self._reconciliations) >= RECONCILED_AT_ONCE // 2
        if crowd or (self._reconciliations and not self._splits and self._side.scanned):
            items += [
                self._reconciliations.popleft() for _ in range(min(RECONCILED_AT_ONCE, len(self._reconciliations)))
            ]
        elif self._splits:
            # The newest first: the smallest ranges, so that the list stays short and a difference is found early.
            items += [self._splits.pop() for _ in range(min(SPLIT_AT_ONCE, len(self._splits)))]
        elif self._side.scanned:
            return None
        self._side.awaited.clear()
        return pool.submit(self._side.read, items)

    def _queue(self, items: Iterable[Item]) -> None:
        for item in items:
            if self._tally.of(item.chunk.name).lost:
                continue
            if isinstance(item, RowReconciliation):
                self._reconciliations.append(item)
            else:
                self._splits.append(item)

    def _judge(self, reading: Reading) -> None:
        if isinstance(reading, Listed):
            self._judge_rows(reading)
        else:
            self._judge_range(reading, self._green.content(reading.chunk))

    def _judge_range(self, reading: Ranged, green: Content) -> None:
        chunk, blue, tally = reading.chunk, reading.blue, self._tally.of(reading.chunk.name)
        equal = blue.same(green)
        if reading.splits == 0:
            tally.chunks += 1
            tally.retried += not equal
            self._tally.seen_rows += blue.rows
            self._progress(self._tally.fraction, f"{chunk.name}: {blue.rows:,} rows read")
        if equal:
            tally.equal(blue.rows, blue.total)
        elif not chunk.key or max(blue.rows, green.rows) <= FEW_ROWS:
            self._queue([RowReconciliation(chunk)])
        elif reading.splits >= MOST_SPLITS:
            tally.unsettled.append(chunk)
        else:
            self._queue([Split(chunk, blue.rows, green.rows, reading.splits + 1)])

    def _judge_rows(self, reading: Listed) -> None:
        reconciliation, green = reading.reconciliation, listing(self._green, reading.reconciliation.chunk)
        tally = self._tally.of(reconciliation.chunk.name)
        if max(len(reading.blue), len(green)) >= MOST_LISTED:
            # Grown since it was small: its end is where many rows come in.
            tally.unsettled.append(reconciliation.chunk)
            return
        outcome: Outcome = look(reconciliation, reading.blue, green)
        tally.equal(outcome.rows, outcome.total)
        tally.differences.extend(outcome.differences)
        if outcome.unsettled is not None:
            tally.unsettled.append(outcome.unsettled)
        if outcome.reconciliation is not None:
            self._queue([outcome.reconciliation])
