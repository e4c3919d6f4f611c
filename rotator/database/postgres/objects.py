"""Which databases and tables a server has, as far as a rotation is concerned."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.names import EXCLUDED_DATABASES, SCHEMA
from rotator.model import Table
from rotator.qualified import qualified

T = TypeVar("T")

_DATABASES = """
select datname from pg_database
 where datallowconn and not datistemplate and datconnlimit <> -2 and datname <> all (%s)
 order by datname
"""
"""datconnlimit -2 marks a database whose DROP was interrupted (PostgreSQL, pg_database)."""

USER_SCHEMA = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'rotator')"
"""SQL condition: schema `n` is the application's. Names that begin with pg_ are reserved by PostgreSQL."""

_WRITABLE = f"""
select c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'USAGE')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and c.relpersistence <> 't'
   and ({USER_SCHEMA} or (n.nspname = '{SCHEMA}' and c.relname = 'probe'))
 order by n.nspname, c.relname
"""

_STORED = f"""
select n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, coalesce(pg_table_size(c.oid), 0)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm') and c.relpersistence <> 't' and c.relispopulated and {USER_SCHEMA}
 order by n.nspname, c.relname
"""


@dataclass(frozen=True)
class Relation:
    """A table that can be written to: ordinary, partitioned, or a partition. `owned`: its owner's rights are ours."""

    oid: int
    schema: str
    name: str
    owner: str
    owned: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def within(self, database: str) -> str:
        """'database.schema.table'."""
        return qualified(database, self.schema, self.name)

    def __str__(self) -> str:
        return qualified(self.schema, self.name)


def databases(target: Target) -> tuple[str, ...]:
    """Names of all application databases of the server."""
    with session(target, doing="list the databases") as connection:
        rows = connection.execute(_DATABASES, [list(EXCLUDED_DATABASES)]).fetchall()
    return tuple(str(row[0]) for row in rows)


def each_database(target: Target, doing: str, look: Callable[[str, Connection], T]) -> tuple[T, ...]:
    """What `look(database, connection)` gives for every application database, one connection after the other."""
    found = []
    for name in databases(target):
        with session(target, name, doing=doing) as connection:
            found.append(look(name, connection))
    return tuple(found)


def writable_relations(connection: Connection) -> tuple[Relation, ...]:
    """What a fence must cover in this database: all tables of the application, and the tool's probe."""
    return tuple(Relation(*row) for row in connection.execute(_WRITABLE).fetchall())


def stored_tables(database: str, connection: Connection) -> tuple[Table, ...]:
    """Tables, partitions and populated materialized views with storage of their own."""
    return tuple(Table(database, *row) for row in connection.execute(_STORED).fetchall())
