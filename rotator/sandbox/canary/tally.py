"""Sums up the canary's logs, each line once: a report after hours is as quick as one after a minute."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rotator.sandbox.canary.log import Entry, Kind, Tail, writers
from rotator.sandbox.canary.mix import tally

FIRST_SLOW = 1001
"""Writers from this number on are the slow ones, whose transactions stay open for seconds."""
RATE_SECONDS = 60
KEPT_PAUSES = 5
SETTLED_SECONDS = 5.0
"""Two writers' lines may be read out of order by as much as it takes a thread to get from its clock to its write."""

Range = tuple[int, int]


class WriterTally:
    """One writer's sums."""

    def __init__(self, folder: Path, writer: int) -> None:
        self.writer = writer
        self.attempted = 0
        self.acknowledged: list[Range] = []
        self.refused: Counter[str] = Counter()
        self.refused_numbers = 0
        self.unknown = 0
        self.last: float | None = None
        self._longest_gap = 0.0
        self._tail = Tail(folder, writer)
        self._last_of: dict[Kind, int] = {}

    @property
    def slow(self) -> bool:
        """Whether its transactions stay open for seconds."""
        return self.writer >= FIRST_SLOW

    def gap(self, now: float | None) -> float:
        """Largest gap between two of its acknowledgements, one that lasts until `now` (monotonic) included."""
        lasting = now - self.last if now is not None and self.last is not None else 0.0
        return max(self._longest_gap, lasting)

    def read_on(self) -> Iterator[float]:
        """Take in what is new; gives the times of the new acknowledgements."""
        for entry in self._tail.entries():
            if entry.kind is Kind.TRY:
                self.attempted += 1
            elif entry.kind is Kind.ACK:
                yield self._acknowledge(entry)
            else:
                self._fail(entry)

    def _fail(self, entry: Entry) -> None:
        fresh = self._last_of.get(entry.kind) != entry.seq  # a number may fail many times
        self._last_of[entry.kind] = entry.seq
        if entry.kind is Kind.UNKNOWN:
            self.unknown += fresh
            return
        self.refused_numbers += fresh
        self.refused[entry.code] += 1

    def _acknowledge(self, entry: Entry) -> float:
        if self.acknowledged and self.acknowledged[-1][1] == entry.seq - 1:
            self.acknowledged[-1] = (self.acknowledged[-1][0], entry.seq)
        else:
            self.acknowledged.append((entry.seq, entry.seq))
        if self.last is not None and entry.at - self.last > self._longest_gap:
            self._longest_gap = entry.at - self.last
        self.last = entry.at
        return entry.at


@dataclass(frozen=True, order=True)
class Pause:
    """A gap between two acknowledgements, whoever got them: seconds, and its start on the monotonic clock."""

    seconds: float
    started: float


class Pauses:
    """The largest gaps between acknowledgements. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._largest: list[Pause] = []
        self._last: float | None = None
        self._unsettled: list[float] = []

    def add(self, times: list[float], until: float) -> None:
        """New ones in any order; those before `until` are settled: none earlier will come."""
        self._unsettled = sorted(self._unsettled + times)
        settled = bisect_left(self._unsettled, until)
        self._settle(self._unsettled[:settled])
        del self._unsettled[:settled]

    def now(self, moment: float | None) -> tuple[Pause, ...]:
        """The largest first, with what is not settled, and with a gap that lasts until `moment`."""
        known = Pauses()
        known._largest, known._last = list(self._largest), self._last
        known._settle(self._unsettled)
        if moment is not None and known._last is not None:
            known._settle([moment])
        return tuple(known._largest)

    def _settle(self, times: list[float]) -> None:
        for moment in times:
            if self._last is not None:
                pause = Pause(moment - self._last, self._last)
                if len(self._largest) < KEPT_PAUSES or pause > self._largest[-1]:
                    self._largest = sorted([*self._largest, pause], reverse=True)[:KEPT_PAUSES]
            if self._last is None or moment > self._last:
                self._last = moment


class Tally:
    """All writers of a folder. Not to be used by two threads at once but under `lock`."""

    def __init__(self, folder: Path) -> None:
        self.lock = threading.Lock()
        self.writers: dict[int, WriterTally] = {}
        self.pauses = Pauses()
        self._folder = folder
        self._per_second: Counter[int] = Counter()

    def read_on(self) -> None:
        """Take in what the writers have logged since the last time."""
        began = time.monotonic()
        times: list[float] = []
        for number in writers(self._folder):
            times += self.writers.setdefault(number, WriterTally(self._folder, number)).read_on()
        self._per_second.update(map(int, times))
        self.pauses.add(times, began - SETTLED_SECONDS)

    def acknowledged(self) -> list[tuple[int, int, int]]:
        """(writer, first, last) of each run of acknowledged numbers."""
        return [(number, *each) for number, one in self.writers.items() for each in one.acknowledged]

    def kinds(self) -> dict[str, int]:
        """Acknowledged transactions of each kind; those that stayed open for seconds are told again as `long`."""
        counts: Counter[str] = Counter()
        for number, first, last in self.acknowledged():
            counts.update({str(kind): count for kind, count in tally(first, last).items()})
            counts["long"] += last - first + 1 if number >= FIRST_SLOW else 0
        return dict(counts)

    def rate(self, now: float) -> float:
        """Acknowledgements a second over the last whole minute before `now` (monotonic), or over the whole run."""
        if not self._per_second:
            return 0.0
        first = max(min(self._per_second), int(now) - RATE_SECONDS)
        recent = sum(self._per_second[second] for second in range(first, int(now)))
        return recent / (int(now) - first) if int(now) > first else 0.0
