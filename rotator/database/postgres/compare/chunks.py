"""What an online comparison speaks of: ranges of a table's key, and what was found in them. Pure data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rotator.database.compare import capped
from rotator.domain.qualified import qualified

Key = tuple[str, ...]
"""Values of a key's columns as text, as the server writes them in the tool's sessions."""


@dataclass(frozen=True)
class Chunk:
    """Rows of one table whose key is above `low` and not above `high`; None is open. `key` empty: all of the table."""

    database: str
    schema: str
    table: str
    key: tuple[str, ...] = ()
    low: Key | None = None
    high: Key | None = None

    @property
    def name(self) -> str:
        """'database.schema.table'."""
        return qualified(self.database, self.schema, self.table)

    @property
    def words(self) -> str:
        """Its rows, for people."""
        if self.low is None and self.high is None:
            return "all rows"
        above = "" if self.low is None else f" above {key_words(self.low)}"
        up_to = "" if self.high is None else f" up to {key_words(self.high)}"
        return f"rows with {key_words(self.key)}{above}{up_to}"

    def to_json(self) -> dict[str, Any]:
        """As plain data, for the journal."""
        return {
            **{"database": self.database, "schema": self.schema, "table": self.table, "key": list(self.key)},
            "low": None if self.low is None else list(self.low),
            "high": None if self.high is None else list(self.high),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Chunk:
        """What `to_json` gave."""
        low, high = data["low"], data["high"]
        return cls(
            **{name: str(data[name]) for name in ("database", "schema", "table")},
            key=tuple(data["key"]),
            low=None if low is None else tuple(low),
            high=None if high is None else tuple(high),
        )


@dataclass(frozen=True, order=True)
class Difference:
    """Something of a table that differs, and `how`. `rows` names which, by keys: for a person at a terminal alone."""

    table: str
    how: str
    rows: str = ""

    @property
    def by_key(self) -> str:
        """With the rows' keys."""
        return f"table {self.table}: {self.rows}: {self.how}" if self.rows else f"table {self.table}: {self.how}"


def told(found: Iterable[Difference]) -> tuple[str, ...]:
    """Differences in words without a key: those of one table that differ in the same way are counted."""
    counted = Counter((each.table, each.how, bool(each.rows)) for each in found)
    return tuple(
        f"table {table}: {how} ({number:,} {'row or range' if number == 1 else 'rows or ranges'} of it)"
        if keyed
        else f"table {table}: {how}"
        for (table, how, keyed), number in counted.items()
    )


@dataclass(frozen=True)
class TableReport:
    """One table. `digest` is of what was found equal: of all rows, if the table was quiet and no chunk is unsettled.

    `chunks` were compared at first, `retried` of them were unequal then (in flux, or really different).
    """

    rows: int
    digest: str
    chunks: int
    retried: int
    unsettled: int

    def to_json(self) -> dict[str, int | str]:
        """As journals of every version have it: what is unsettled is called `hot` there."""
        return {
            "rows": self.rows,
            "digest": self.digest,
            "chunks": self.chunks,
            "retried": self.retried,
            "hot": self.unsettled,
        }


@dataclass(frozen=True)
class OnlineReport:
    """All tables ('database.schema.table'); what must be compared again inside the fence; what differs."""

    tables: Mapping[str, TableReport]
    unsettled: tuple[Chunk, ...]
    found: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """In words that name no row."""
        return capped(told(self.found))

    @property
    def by_key(self) -> tuple[str, ...]:
        """In words that name rows by their keys: for a person at a terminal alone."""
        return capped(each.by_key for each in self.found if each.rows)


def key_words(key: Key) -> str:
    """One value as it is, several in brackets."""
    return key[0] if len(key) == 1 else f"({', '.join(key)})"


def merged(chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
    """The same rows in fewer chunks: a chunk that begins where another of its table ends is joined to it."""
    unique = tuple(dict.fromkeys(chunks))
    left = {(chunk.name, chunk.key, chunk.low): chunk for chunk in unique}
    if len(left) < len(unique):
        return unique  # two of them overlap: which is the longer one cannot be told from text
    ends = {(chunk.name, chunk.key, chunk.high) for chunk in left.values() if chunk.high is not None}
    heads = [chunk for at, chunk in left.items() if chunk.low is None or at not in ends]
    return tuple(_joined(head, left) for head in heads)


def _joined(head: Chunk, by_low: Mapping[tuple[str, tuple[str, ...], Key | None], Chunk]) -> Chunk:
    while head.high is not None and (after := by_low.get((head.name, head.key, head.high))) is not None:
        head = replace(head, high=after.high)
    return head
