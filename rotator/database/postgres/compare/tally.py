"""What an online comparison has found so far, by table. Only one thread writes to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rotator.database.compare import LIMIT
from rotator.database.postgres.compare.chunks import Chunk, Difference, OnlineReport, TableReport, merged


@dataclass
class TableTally:
    """Of one table; `total` is the sum of the digests of the rows that were found equal."""

    rows: int = 0
    total: int = 0
    chunks: int = 0
    retried: int = 0
    unsettled: list[Chunk] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether so much differs that looking for more would tell nobody more."""
        return len(self.differences) >= LIMIT

    def equal(self, rows: int, total: int) -> None:
        """Count rows as found equal."""
        self.rows += rows
        self.total += total

    def report(self) -> TableReport:
        """As it stands."""
        unsettled = len(merged(self.unsettled))
        return TableReport(self.rows, f"online-1:{self.total}", self.chunks, self.retried, unsettled)


@dataclass
class Tally:
    """Of all tables, and how far the comparison is: in rows of blue, against the statistics' estimate."""

    estimated_rows: int
    tables: dict[str, TableTally] = field(default_factory=dict)
    seen_rows: int = 0

    def of(self, name: str) -> TableTally:
        """The table's own, 'database.schema.table'."""
        return self.tables.setdefault(name, TableTally())

    @property
    def fraction(self) -> float:
        """How much of the rows was read once; below 1 until all is done, as estimates are."""
        return min(self.seen_rows / max(self.estimated_rows, 1), 0.99)

    def report(self, names: Iterable[str]) -> OnlineReport:
        """The whole report, for the tables of these names in this order."""
        found = {name: self.of(name) for name in names}
        return OnlineReport(
            tables={name: tally.report() for name, tally in found.items()},
            unsettled=merged(chunk for tally in found.values() for chunk in tally.unsettled),
            found=tuple(each for tally in found.values() for each in tally.differences),
        )
