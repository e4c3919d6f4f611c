"""All sequences of one database, polled over one connection: exactly, and cheaply.

Each read of a sequence keeps a lock on it until its transaction ends, so they are read and set in batches. One that
never gave out a number has no last value for PostgreSQL's own function (before version 18), and is read as a table is;
such a statement costs most when it is planned, which is done once. By its name something else could be read, and its
owner's code run as us: so all are locked first, as parsing does, and then compared with what was listed.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from rotator.database.postgres.batches import batches
from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.catalog.sequence_places import Limits
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.reading.owners import CHANGED
from rotator.database.postgres.reading.session import changed
from rotator.domain.database import CounterState

Key = tuple[str, str]
"""Schema and name."""

EXACT = 180000
"""From this version on, one function gives a sequence's whole state."""

LIMITS = f"""
with used(oid, relid, attnum) as (
  select d.objid, d.refobjid, d.refobjsubid from pg_depend d
   where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
     and d.refobjsubid > 0
  union
  select d.refobjid, f.adrelid, f.adnum from pg_depend d join pg_attrdef f on f.oid = d.objid
   where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
), size(oid, most) as (
  select u.oid, min(case when b.t = 'int2'::regtype then 32767 else 2147483647 end)
    from used u join pg_attribute a on a.attrelid = u.relid and a.attnum = u.attnum join pg_type y on y.oid = a.atttypid
   cross join lateral (select case y.typtype when 'd' then y.typbasetype else y.oid end) b(t)
   where b.t in ('int2'::regtype, 'int4'::regtype) group by u.oid
)
select s.seqrelid::bigint, n.nspname, c.relname, s.seqincrement, greatest(s.seqmin, -size.most - 1),
       least(s.seqmax, size.most), s.seqcache, s.seqcycle
  from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
  left join size on size.oid = s.seqrelid
 where c.relpersistence <> 't' and {USER_SCHEMA}
 order by n.nspname, c.relname
"""
"""A sequence that fills a column serves no longer than the column's type does: serials of before PostgreSQL 10 are
bigint, whatever their column is."""

_LAST = "select s::bigint, pg_sequence_last_value(s), true from unnest(%s::oid[]) s"
_EXACT = "select s::bigint, d.last_value, d.is_called from unnest(%s::oid[]) s, pg_get_sequence_data(s) d"
_SAME = sql.SQL("""
begin
  if exists (select from (values {}) v(oid, name) where to_regclass(v.name) is distinct from v.oid) then
    raise exception using errcode = {}, message = 'not the sequence that was listed';
  end if;
end""")
_SET = """
select setval(q.oid::regclass, q.value, q.called)
  from unnest(%s::oid[], %s::bigint[], %s::bool[]) q (oid, value, called)
"""


@dataclass
class Look:
    """One database's sequences over `connection`. They are listed when it is made: DDL is looked for elsewhere."""

    connection: Connection
    limits: dict[Key, Limits] = field(default_factory=dict)
    _oids: dict[Key, int] = field(default_factory=dict)
    _increments: dict[Key, int] = field(default_factory=dict)
    _prepared: dict[tuple[int, ...], sql.Composed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for oid, schema, name, increment, *limits in self.connection.execute(LIMITS).fetchall():
            key = str(schema), str(name)
            self._oids[key], self._increments[key], self.limits[key] = int(oid), int(increment), Limits(*limits)

    def read(self) -> dict[Key, CounterState]:
        """Where they stand."""
        query = _EXACT if self.connection.info.server_version >= EXACT else _LAST
        found: dict[int, tuple[int, bool]] = {}
        for batch in batches(self._oids.values()):
            rows = self.connection.execute(query, [list(batch)]).fetchall()
            found.update({int(oid): (int(last), bool(called)) for oid, last, called in rows if last is not None})
        unused = [(key, oid) for key, oid in self._oids.items() if oid not in found]
        for whole in batches(unused):
            found.update(self._whole(whole))
        return {
            key: CounterState(*found[oid], self._increments[key], self.limits[key].slack)
            for key, oid in self._oids.items()
            if oid in found
        }

    def set(self, states: Mapping[Key, CounterState]) -> None:
        """Put them there."""
        for batch in batches(states.items()):
            oids = [self._oids[key] for key, _ in batch]
            values, called = [state.last_value for _, state in batch], [state.is_called for _, state in batch]
            self.connection.execute(_SET, [oids, values, called])

    def _whole(self, sequences: Sequence[tuple[Key, int]]) -> Iterator[tuple[int, tuple[int, bool]]]:
        """Read them as tables: position and whether it was given out."""
        ours = tuple(oid for _, oid in sequences)
        if ours not in self._prepared:
            name = f"rotator_look_{len(self._prepared)}"
            query = sql.SQL(" union all ").join(
                sql.SQL("select {}::bigint, last_value, is_called from {}").format(
                    sql.Literal(oid), sql.Identifier(*key)
                )
                for key, oid in sequences
            )
            self.connection.execute(sql.SQL("prepare {} as {}").format(sql.Identifier(name), query))
            whole = (*_same(self.connection, sequences), sql.SQL("execute {}").format(sql.Identifier(name)))
            self._prepared[ours] = sql.SQL("; ").join(whole)
        with self.connection.transaction():
            for oid, last, called in self._execute(self._prepared[ours]):
                yield int(oid), (int(last), bool(called))

    def _execute(self, statements: sql.Composed) -> list[tuple[Any, ...]]:
        try:
            cursor = self.connection.execute(statements)
        except psycopg.Error as error:
            if error.sqlstate == CHANGED:
                raise changed("a sequence", self.connection) from error
            raise
        while cursor.nextset():
            pass
        return cursor.fetchall()


def _same(connection: Connection, sequences: Sequence[tuple[Key, int]]) -> tuple[sql.Composable, ...]:
    """Lock what has these names until the transaction ends; fail unless it is the sequences that were listed."""
    names = [sql.Identifier(*key) for key, _ in sequences]
    listed = sql.SQL(", ").join(
        sql.SQL("({}::oid, {})").format(oid, name.as_string(connection))
        for name, (_, oid) in zip(names, sequences, strict=True)
    )
    return (
        sql.SQL("prepare rotator_lock as select from {}; deallocate rotator_lock").format(sql.SQL(", ").join(names)),
        sql.SQL("do {}").format(sql.Literal(_SAME.format(listed, CHANGED).as_string(connection))),
    )
