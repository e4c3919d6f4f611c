"""Which tables a publication holds: put right in batches, as each table stays locked until the statement's end."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from rotator.database.postgres.batches import batches
from rotator.database.postgres.connection import Connection

Name = tuple[str, str]
"""Schema and table."""

_MEMBERS = """
select n.nspname, c.relname from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
  join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
 where p.pubname = %s order by 1, 2
"""


def publish(connection: Connection, publication: str, tables: Sequence[Name]) -> None:
    """Make it, unless it is there, and let it hold these tables.

    All by name, as FOR ALL TABLES is for superusers; a table that comes later is found by `unpublished`.
    """
    if not _is_there(connection, publication):
        connection.execute(sql.SQL("create publication {}").format(sql.Identifier(publication)))
    there = _members(connection, publication)
    _alter(connection, publication, "drop", [table for table in there if table not in set(tables)])
    _alter(connection, publication, "add", [table for table in tables if table not in set(there)])


def drop(connection: Connection, publication: str) -> bool:
    """Remove it; whether it was there. It is emptied first: to drop it as it is would lock each of its entries."""
    if not _is_there(connection, publication):
        return False
    _alter(connection, publication, "drop", _members(connection, publication))
    connection.execute(sql.SQL("drop publication {}").format(sql.Identifier(publication)))
    return True


def _is_there(connection: Connection, publication: str) -> bool:
    return connection.execute("select from pg_publication where pubname = %s", [publication]).rowcount > 0


def _members(connection: Connection, publication: str) -> list[Name]:
    rows = connection.execute(_MEMBERS, [publication]).fetchall()
    return [(str(schema), str(table)) for schema, table in rows]


def _alter(connection: Connection, publication: str, verb: str, tables: Sequence[Name]) -> None:
    for batch in batches(tables):
        listed = sql.SQL(", ").join(sql.SQL("only {}").format(sql.Identifier(*table)) for table in batch)
        connection.execute(
            sql.SQL("alter publication {} {} table {}").format(sql.Identifier(publication), sql.SQL(verb), listed)
        )
