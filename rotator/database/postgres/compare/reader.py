"""One side of a comparison: a connection, and the reads of key ranges on it. One snapshot is held for one read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.compare.checksum import Column, columns_of
from rotator.database.postgres.compare.chunks import Chunk, Key
from rotator.database.postgres.compare.digest import (
    ABOVE,
    UP_TO,
    VERSION,
    above,
    compare,
    key_list,
    key_texts,
    literals,
    row_digest,
    up_to,
)
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.errors import statement_error
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import read
from rotator.database.postgres.trust import makes_calls
from rotator.domain.qualified import qualified

SETTINGS = """
set enable_seqscan = off;
set enable_sort = off;
set enable_incremental_sort = off;
set max_parallel_workers_per_gather = 0;
"""
"""Ranges are read by the key's index whatever the statistics say, on one core, and lock no one out of vacuuming."""

_KEYS = f"""
select w.n, (select array_agg(a.attname::text order by k.at) from unnest(i.indkey::int2[]) with ordinality k(attnum, at)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.at <= i.indnkeyatts)
  from (select n, name::regclass as oid from unnest(%(tables)s::text[]) with ordinality o(name, n) offset 0) w
 cross join lateral (select x.* from pg_index x
                      where x.indrelid = w.oid and (x.indisprimary or x.indisreplident) and x.indisvalid offset 0) i
  join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam and m.amname = 'btree'
 where 0 = all (i.indoption::int2[])
   and not exists (
         select from unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) with ordinality
                  k(attnum, opclass, collation_, at)
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
           join pg_opclass o on o.oid = k.opclass
          where k.at <= i.indnkeyatts
            and (not o.opcdefault or k.collation_ <> a.attcollation or ({makes_calls("a.atttypid")})))
 order by w.n, i.indisprimary
"""  # noqa: S608  (composed of constants of this package)
"""OFFSET 0 keeps the planner from reading all indexes for each table, as it did by its estimates.

Primary key, else the replica identity's index: unique and without nulls. An index in another order than the
columns' own (DESC, another collation) does not serve ORDER BY, and counts as no key. So does one that cannot be
compared with its own values without calling what its owner wrote: such a table is read as a whole."""


_CHEAP_MAX = {"int2", "int4", "int8", "date", "timestamp", "timestamptz"}


@dataclass(frozen=True)
class Content:
    """What rows are worth: how many, the sum of their digests. `version` tells which versions of them were read."""

    rows: int
    total: int
    version: str = ""

    def same(self, other: Content | None) -> bool:
        """Whether the contents are equal, in whatever versions."""
        return other is not None and (self.rows, self.total) == (other.rows, other.total)


@dataclass(frozen=True)
class Shape:
    """How to read a table: its key's columns, the digest of its rows as SQL, and the names of what that needs."""

    identifier: sql.Identifier
    key: tuple[Column, ...]
    digest: sql.Composable
    seen: owners.Seen
    columns: tuple[str, ...] = ()

    def where(self, chunk: Chunk) -> sql.Composable:
        """WHERE clause of the chunk's rows; empty for all rows."""
        parts = [above(self.key, chunk.low)] if chunk.low is not None else []
        parts += [up_to(self.key, chunk.high)] if chunk.high is not None else []
        return sql.SQL(" where ") + sql.SQL(" and ").join(parts) if parts else sql.SQL("")

    def contents(self, chunk: Chunk, *more: sql.Composable) -> sql.Composed:
        """SELECT of count, sum of digests, and `more`, of the chunk's rows."""
        fields = sql.SQL(", ").join([sql.SQL("count(*), coalesce(sum({}), 0)").format(self.digest), *more])
        return sql.SQL("select {} from only {} t").format(fields, self.identifier) + self.where(chunk)

    def contents_of(self, numbered: Sequence[tuple[int, Chunk]]) -> sql.Composed:
        """SELECT of count, sum of digests and number, of chunks that are open at neither end: one plan for all."""
        lows, highs = (tuple(sql.Identifier("c", f"{end}{n}") for n in range(len(self.key))) for end in ("low", "high"))
        names = [sql.Identifier(f"{end}{n}") for end in ("low", "high") for n in range(len(self.key))]
        rows = [
            sql.SQL("({}, {}, {})").format(number, literals(self.key, chunk.low), literals(self.key, chunk.high))
            for number, chunk in numbered
            if chunk.low is not None and chunk.high is not None
        ]
        return sql.SQL(
            "select d.rows, d.total, c.n from (values {}) c(n, {}) cross join lateral (select count(*) as rows,"
            " coalesce(sum({}), 0) as total from only {} t where {} and {}) d"
        ).format(
            *(sql.SQL(", ").join(rows), sql.SQL(", ").join(names), self.digest, self.identifier),
            *(compare(self.key, ABOVE, lows), compare(self.key, UP_TO, highs)),
        )

    @property
    def has_max(self) -> bool:
        """Whether the greatest key of some rows costs next to nothing: then it need not be looked for by itself."""
        return len(self.key) == 1 and self.key[0].builtin and self.key[0].type_name in _CHEAP_MAX

    def first(self, chunk: Chunk, rows: int) -> sql.Composed:
        """SELECT of count, sum of digests, and last key, of the chunk's first `rows` rows in the key's order."""
        stored = sql.SQL(", ").join(sql.Identifier("t", column) for column in self.columns)
        ordered = sql.SQL("(select {} from only {} t{} order by {} limit {}) t").format(
            *(stored, self.identifier, self.where(chunk), key_list(self.key), sql.Literal(rows)),
        )
        return sql.SQL("select count(*), coalesce(sum({}), 0), max({})::text from {}").format(
            *(self.digest, key_list(self.key), ordered),
        )


class Reader:
    """Reads chunks on one server. Not for two threads at once. Raises DatabaseError."""

    def __init__(self, target: Target, connection: Connection, shapes: Mapping[str, Shape]) -> None:
        self._target = target
        self._connection = connection
        self.shapes = shapes

    def content(self, chunk: Chunk) -> Content:
        """The chunk's contents."""
        rows, total = self._rows(chunk, self.shapes[chunk.name].contents(chunk), 2)[0]
        return Content(int(rows), int(total))

    def versioned(self, chunk: Chunk) -> Content:
        """The chunk's contents, and which versions of the rows they are."""
        version = sql.SQL("coalesce(sum(pg_catalog.hashtextextended({}, 0)), 0)").format(VERSION)
        rows, total, versions = self._rows(chunk, self.shapes[chunk.name].contents(chunk, version), 3)[0]
        return Content(int(rows), int(total), str(versions))

    def listed(self, chunk: Chunk, limit: int) -> dict[Key, Content]:
        """The chunk's rows by key, at most `limit` of them, in the key's order."""
        shape = self.shapes[chunk.name]
        query = sql.SQL("select {}, {}, {} from only {} t{} order by {} limit {}").format(
            *(sql.SQL(", ").join(key_texts(shape.key)), shape.digest, VERSION, shape.identifier, shape.where(chunk)),
            *(key_list(shape.key), sql.Literal(limit)),
        )
        rows = self._rows(chunk, query, len(shape.key) + 2)
        return {tuple(row[:-2]): Content(1, int(row[-2]), str(row[-1])) for row in rows}

    def first(self, chunk: Chunk, rows: int) -> tuple[Chunk, Content]:
        """The chunk's first `rows` rows, as a chunk that ends with the last of them or where `chunk` does."""
        shape = self.shapes[chunk.name]
        if not shape.has_max:
            end = self.boundary(chunk, rows)
            part = chunk if end is None else replace(chunk, high=end)
            return part, self.content(part)
        count, total, last = self._rows(chunk, shape.first(chunk, rows), 3)[0]
        part = replace(chunk, high=(last,)) if int(count) == rows else chunk
        return part, Content(int(count), int(total))

    def boundary(self, chunk: Chunk, rows: int) -> Key | None:
        """The key of the chunk's row number `rows`, by the index; None if it has fewer."""
        shape = self.shapes[chunk.name]
        query = sql.SQL("select {} from only {} t{} order by {} offset {} limit 1").format(
            *(sql.SQL(", ").join(key_texts(shape.key)), shape.identifier, shape.where(chunk)),
            *(key_list(shape.key), sql.Literal(rows - 1)),
        )
        found = self._rows(chunk, query, len(shape.key))
        return tuple(found[0]) if found else None

    def _rows(self, chunk: Chunk, query: sql.Composed, width: int) -> list[tuple[Any, ...]]:
        try:
            return read(self._connection, query, width, self.shapes[chunk.name].seen)
        except psycopg.Error as error:
            raise statement_error(self._target, self._connection, f"read table {chunk.name}", error) from error


def shapes_of(connection: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Shape]:
    """How to read each table ((schema, name)) of this database, as its owner: some statements for all of them.

    Not inside a READ ONLY transaction.
    """
    seen = owners.look(connection, names)
    tables = [sql.Identifier(*name) for name in names]
    strings = [table.as_string(connection) for table in tables]
    keys = {int(n): tuple(key) for n, key in connection.execute(_KEYS, {"tables": strings}).fetchall()}
    shapes = {}
    for number, (name, columns) in enumerate(zip(names, columns_of(connection, tables), strict=True), start=1):
        by_name = {column.name: column for column in columns}
        key = tuple(by_name[column] for column in keys.get(number, ()))
        digest = row_digest(columns, connection.info.server_version)
        shapes[name] = Shape(sql.Identifier(*name), key, digest, seen[name], tuple(column.name for column in columns))
    return shapes


@contextmanager
def reader(target: Target, database: str, names: Sequence[tuple[str, str]]) -> Iterator[Reader]:
    """A reader of these tables ((schema, name)) over a connection of its own."""
    with session(target, database, doing="compare tables") as connection:
        connection.execute(SETTINGS)
        shapes = shapes_of(connection, names)
        yield Reader(target, connection, {qualified(database, *name): shapes[name] for name in names})
