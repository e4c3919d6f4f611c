"""Unlogged tables: no log, so nothing of them is replicated, and a restored server begins with empty ones.

Empty ones are what PostgreSQL itself leaves of them after a crash: nothing is lost. Rows in them would stay behind.
"""

from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import read
from rotator.domain.errors import DatabaseError
from rotator.domain.qualified import qualified

_ANY = f"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence = 'u' and {USER_SCHEMA} and pg_relation_size(c.oid) > 0 order by 1, 2
"""  # noqa: S608


def filled(connection: Connection) -> tuple[tuple[str, str], ...]:
    """Unlogged tables (schema, name) of this database with rows. One with pages may be empty all the same."""
    found = [(str(schema), str(name)) for schema, name in connection.execute(_ANY).fetchall()]
    return tuple(each for each in found if _has_rows(connection, each))


def _has_rows(connection: Connection, name: tuple[str, str]) -> bool:
    query = sql.SQL("select 1 from only {} limit 1").format(sql.Identifier(*name))
    return bool(read(connection, query, 1, owners.look(connection, [name])[name]))


def refuse(database: str, tables: tuple[tuple[str, str], ...]) -> None:
    """Raise DatabaseError 'unlogged-table' if there are any."""
    if tables:
        raise DatabaseError(
            f"unlogged tables have rows: {', '.join(qualified(database, *each) for each in tables)}",
            why="nothing of an unlogged table is replicated: after the flip these rows would be gone",
            fix="TRUNCATE them just before, or keep them empty meanwhile, then run the same command again; nothing has"
            " changed. (ALTER TABLE ... SET LOGGED is DDL: before a rotation)",
            code="unlogged-table",
        )
