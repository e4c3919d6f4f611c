"""Materialized views: they are not replicated. Green has them as of the snapshot; those that differ are refreshed."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres import checksum, fence_sql
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.objects import USER_SCHEMA, each_database
from rotator.model import Table

_VIEWS = f"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'm' and c.relispopulated and {USER_SCHEMA} order by c.oid
"""  # noqa: S608
"""In the order in which they were made: one may read another."""


@dataclass(frozen=True)
class Views:
    """All populated materialized views, and those that were refreshed on the target ('database.schema.name')."""

    all: frozenset[str]
    refreshed: tuple[str, ...]


def refresh_stale(source: Target, target: Target) -> Views:
    """Refresh on the target what differs from the source. Its data is newer then than blue's: as of now."""

    def look(database: str, connection: Connection) -> tuple[Table, ...]:
        return tuple(Table(database, str(schema), str(name)) for schema, name in connection.execute(_VIEWS).fetchall())

    found = [view for part in each_database(source, "list the materialized views", look) for view in part]
    stale = [view for view in found if not _equal(source, target, view)]
    for view in stale:
        with session(target, view.database, doing=f"refresh {view}") as connection:
            _refresh(connection, view)
    return Views(frozenset(map(str, found)), tuple(map(str, stale)))


def _equal(source: Target, target: Target, view: Table) -> bool:
    def silent(fraction: float, text: str) -> None:
        """Views are small beside tables."""

    return checksum.checksum(source, view, silent) == checksum.checksum(target, view, silent)


def _refresh(connection: Connection, view: Table) -> None:
    """The fence's event triggers refuse it; in one transaction, so that others never find them gone."""
    watched = connection.execute(fence_sql.HAS_EVENT_TRIGGERS).fetchone() is not None
    with connection.transaction():
        if watched:
            connection.execute(fence_sql.drop_event_triggers())
        name = sql.Identifier(view.schema, view.name)
        connection.execute(sql.SQL("refresh materialized view {}").format(name))
        if watched:
            connection.execute(fence_sql.create_event_triggers())
