"""Which tables a publication holds: put right in batches, as each table stays locked until the statement's end."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from rotator.database.postgres.batches import batches
from rotator.database.postgres.connection import Connection
from rotator.domain.errors import DatabaseError

Name = tuple[str, str]
"""Schema and table."""

OWN = "p.pubowner = (select u.oid from pg_roles u where u.rolname = current_user)"
"""SQL condition: publication `p` is the tool's own. Its name proves nothing: others may make one of that name."""

_MEMBERS = f"""
select n.nspname, c.relname from pg_publication p join pg_publication_rel r on r.prpubid = p.oid
  join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
 where p.pubname = %s and {OWN} order by 1, 2
"""


def publish(connection: Connection, publication: str, tables: Sequence[Name]) -> None:
    """Make it, unless it is there, and let it hold these tables.

    All by name, as FOR ALL TABLES is for superusers; a table that comes later is found by `unpublished`. Raises
    DatabaseError 'publication-taken' where somebody else has one of that name.
    """
    if not _is_there(connection, publication):
        connection.execute(sql.SQL("create publication {}").format(sql.Identifier(publication)))
    there = _members(connection, publication)
    _alter(connection, publication, "drop", [table for table in there if table not in set(tables)])
    _alter(connection, publication, "add", [table for table in tables if table not in set(there)])


def drop(connection: Connection, publication: str) -> bool:
    """Remove it; whether it was there. It is emptied first: to drop it as it is would lock each of its entries."""
    query = f"select from pg_publication p where p.pubname = %s and {OWN}"
    if not connection.execute(query, [publication]).rowcount:
        return False
    _alter(connection, publication, "drop", _members(connection, publication))
    connection.execute(sql.SQL("drop publication {}").format(sql.Identifier(publication)))
    return True


def _is_there(connection: Connection, publication: str) -> bool:
    query = f"select pg_get_userbyid(p.pubowner), {OWN} from pg_publication p where p.pubname = %s"
    row = connection.execute(query, [publication]).fetchone()
    if row is not None and not row[1]:
        raise DatabaseError(
            f"publication {publication} in database {connection.info.dbname} belongs to {row[0]}",
            why="the rotation would use that name; what is published, and how, would be for its owner to say",
            fix=f"DROP PUBLICATION {sql.Identifier(publication).as_string(connection)}; as its owner, then run the same"
            " command again",
            code="publication-taken",
        )
    return row is not None


def _members(connection: Connection, publication: str) -> list[Name]:
    rows = connection.execute(_MEMBERS, [publication]).fetchall()
    return [(str(schema), str(table)) for schema, table in rows]


def _alter(connection: Connection, publication: str, verb: str, tables: Sequence[Name]) -> None:
    for batch in batches(tables):
        listed = sql.SQL(", ").join(sql.SQL("only {}").format(sql.Identifier(*table)) for table in batch)
        connection.execute(
            sql.SQL("alter publication {} {} table {}").format(sql.Identifier(publication), sql.SQL(verb), listed)
        )
