"""How logical replication would tell a table's rows apart, and whether the apply worker could find them on green.

PostgreSQL manual, "Logical Replication", chapter Publication; RelationGetIndexList and tuples_equal in its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.domain.qualified import qualified

_TABLES = f"""pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence = 'p' and {USER_SCHEMA}"""
"""Ordinary tables and partitions. Identity is asked of these alone: a partitioned table's does not count."""

HAS_TABLES = f"select 1 from {_TABLES} limit 1"  # noqa: S608
COUNT_TABLES = f"select count(*) from {_TABLES}"  # noqa: S608

_USABLE = "i.indrelid = c.oid and i.indislive and i.indisvalid and i.indimmediate"

_COMPARABLE = """exists (
      select from pg_opclass o join pg_am m on m.oid = o.opcmethod
       where m.amname in ('btree', 'hash') and o.opcdefault and t.typtype <> 'p' and (o.opcintype = t.oid
          or o.opcintype = case t.typtype when 'e' then 'anyenum'::regtype when 'r' then 'anyrange'::regtype
                                          when 'm' then 'anymultirange'::regtype end
          or exists (select from pg_cast k where k.castsource = t.oid and k.casttarget = o.opcintype
                        and k.castmethod = 'b' and k.castcontext = 'i')))"""
"""Type `t` has an equality operator of its own (GetDefaultOpClass). Else its parts decide, if it has any."""

INCOMPARABLE = f"""
with recursive part(root, typ) as (
  select distinct a, a from unnest(%s::oid[]) a
  union
  select p.root, next.typ from part p join pg_type t on t.oid = p.typ and not {_COMPARABLE}
    cross join lateral (
      select t.typbasetype typ where t.typtype = 'd'
      union all select t.typelem where t.typtype = 'b' and t.typlen = -1 and t.typelem <> 0
      union all select x.atttypid from pg_attribute x
       where t.typtype = 'c' and x.attrelid = t.typrelid and x.attnum > 0 and not x.attisdropped) next)
select distinct p.root, format_type(p.root, null) from part p join pg_type t on t.oid = p.typ
 where not {_COMPARABLE} and t.typtype not in ('d', 'c') and not (t.typtype = 'b' and t.typlen = -1 and t.typelem <> 0)
 order by 2
"""  # noqa: S608
"""Those of the given types whose values the apply worker cannot compare: json, xml, point, and what is made of them."""

_KEYS = f"""
select c.oid, n.nspname, c.relname, c.relreplident,
       exists (select from pg_index i where {_USABLE} and i.indisprimary),
       exists (select from pg_index i where {_USABLE} and i.indisreplident),
       exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and not i.indimmediate),
       exists (select from pg_index i join pg_attribute a on a.attrelid = c.oid
                and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                where {_USABLE} and case c.relreplident when 'i' then i.indisreplident else i.indisprimary end
                  and a.attgenerated <> ''),
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated <> '' and not a.attisdropped),
       array(select a.atttypid from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
  from {_TABLES}
 order by n.nspname, c.relname
"""  # noqa: S608


@dataclass(frozen=True)
class Identity:
    """One table. `primary`, `chosen`: its primary key, its replica identity index, can serve.

    `deferrable`: it has a primary key that cannot, being deferrable. `generated_key`: a column of the key that counts
    is generated; `generated`: any column is. `incomparable`: types of its columns without an equality operator.
    """

    oid: int
    schema: str
    name: str
    setting: str
    primary: bool
    chosen: bool
    deferrable: bool
    generated_key: bool
    generated: bool
    incomparable: tuple[str, ...]

    @property
    def full(self) -> bool:
        """Whether whole rows are sent as their own identity."""
        return self.setting == "f"

    @property
    def lacking(self) -> bool:
        """Once published, UPDATE and DELETE on this table fail, unless it is given REPLICA IDENTITY FULL."""
        return not (self.full or (self.setting == "d" and self.primary) or (self.setting == "i" and self.chosen))

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def full_fails_on_blue(self, version: int) -> bool:
        """PostgreSQL 18 refuses UPDATE and DELETE where whole rows are the identity and a column is generated."""
        return self.generated and version >= 180000

    @property
    def full_stops_apply(self) -> bool:
        """Without a key on green, rows are looked for by comparing all columns."""
        return not self.primary and bool(self.incomparable)

    def within(self, database: str) -> str:
        """'database.schema.table'."""
        return qualified(database, self.schema, self.name)

    def __str__(self) -> str:
        return qualified(self.schema, self.name)


def identities(connection: Connection) -> tuple[Identity, ...]:
    """All tables of the application in this database that would be published."""
    found = connection.execute(sql.SQL(_KEYS)).fetchall()
    types = sorted({int(oid) for row in found for oid in row[9]})
    odd = {int(oid): str(name) for oid, name in connection.execute(sql.SQL(INCOMPARABLE), [types]).fetchall()}
    return tuple(_identity(row, odd) for row in found)


def _identity(row: tuple[Any, ...], odd: dict[int, str]) -> Identity:
    *plain, types = row
    return Identity(*(*plain, tuple(sorted({odd[oid] for oid in types if oid in odd}))))
