"""Which databases and tables a server has, as far as a rotation is concerned."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.names import INITIAL, SCHEMA, SERVICE_DATABASE
from rotator.domain.database import Table
from rotator.domain.errors import DatabaseError, DatabaseUnreachable
from rotator.domain.qualified import qualified

T = TypeVar("T")

_DATABASES = f"""
select d.datname from pg_database d
 where d.datallowconn and d.datconnlimit <> -2 and not {SERVICE_DATABASE} order by d.datname
"""
"""datconnlimit -2 marks a database whose DROP was interrupted (PostgreSQL, pg_database)."""

CLOSED_DATABASES = f"""
select d.datname from pg_database d
 where not d.datallowconn and d.datconnlimit <> -2 and d.datname not in ('{"', '".join(INITIAL)}')
   and not {SERVICE_DATABASE}
"""
"""Databases that nobody can connect to, neither a client nor the tool."""

_HOLDS_DATA = """
select from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   and not exists (select from pg_depend x where x.classid = 'pg_class'::regclass and x.objid = c.oid
                      and x.deptype = 'e')
 limit 1
"""

USER_SCHEMA = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'rotator')"
"""SQL condition: schema `n` is the application's. Names that begin with pg_ are reserved by PostgreSQL."""

TEMPORARY = '(^|[^a-z0-9_$".])pg_temp(_[0-9]+)?[.]'
"""Regular expression: an identity, as PostgreSQL writes it, speaks of something in a session's temporary schema."""

_WRITABLE = f"""
select c.oid, n.nspname, c.relname, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, 'USAGE')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and c.relpersistence <> 't'
   and ({USER_SCHEMA} or (n.nspname = '{SCHEMA}' and c.relname = 'probe'))
 order by n.nspname, c.relname
"""

_FOREIGN_PARENTS = f"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'f' and {USER_SCHEMA} and exists (select from pg_inherits i where i.inhparent = c.oid) order by 1, 2
"""
_STORED = f"""
select n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, coalesce(pg_table_size(c.oid), 0),
       c.relpersistence = 'u'
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
    """Names of all databases that a client could write to: templates as well, and those without a table.

    The two that initdb makes count once somebody has put a table or a sequence into them. What cannot be connected to
    at all is in `CLOSED_DATABASES`.
    """
    with session(target, doing="list the databases") as connection:
        rows = connection.execute(_DATABASES).fetchall()
        raw = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
    names = [_as_utf8(str(row[0])) if raw else str(row[0]) for row in rows]
    return tuple(name for name in names if name not in INITIAL or _holds_data(target, name))


def _as_utf8(name: str) -> str:
    """A database's name from a session that reads bytes: connecting needs it in UTF8, as all others show it."""
    try:
        return name.encode("latin-1").decode()
    except UnicodeError:
        return name


def _holds_data(target: Target, name: str) -> bool:
    """One that cannot be looked into counts: whoever connects to it next says why not."""
    try:
        with session(target, name, doing="look for tables and sequences") as connection:
            return connection.execute(_HOLDS_DATA).rowcount > 0
    except DatabaseUnreachable:
        return True


def each_database(target: Target, doing: str, look: Callable[[str, Connection], T]) -> tuple[T, ...]:
    """What `look(database, connection)` gives for every one of `databases`, one connection after the other."""
    found = []
    for name in databases(target):
        with session(target, name, doing=doing) as connection:
            found.append(look(name, connection))
    return tuple(found)


def writable_relations(connection: Connection) -> tuple[Relation, ...]:
    """What a fence must cover in this database: all tables of the application, and the tool's probe."""
    return tuple(Relation(*row) for row in connection.execute(_WRITABLE).fetchall())


def foreign_parents(connection: Connection) -> tuple[str, ...]:
    """Foreign tables ('schema.table') that tables of this database inherit from.

    A statement fires the statement triggers of the table that it names alone, and foreign tables can have none for
    TRUNCATE: through them what a fence shuts can be written to.
    """
    return tuple(qualified(*row) for row in connection.execute(_FOREIGN_PARENTS).fetchall())


def refuse_foreign_parents(connection: Connection) -> None:
    """Raise DatabaseError 'foreign-parent' if there are any."""
    if found := foreign_parents(connection):
        raise DatabaseError(
            f"database {connection.info.dbname}: tables inherit from foreign tables: {', '.join(found)}",
            why="writes to a foreign table reach the tables below it past the fence",
            fix="ALTER TABLE ... NO INHERIT ...; for the time of the rotation, then run the same command again",
            code="foreign-parent",
        )


def stored_tables(database: str, connection: Connection) -> tuple[Table, ...]:
    """Tables, partitions and populated materialized views with storage of their own."""
    return tuple(Table(database, *row) for row in connection.execute(_STORED).fetchall())
