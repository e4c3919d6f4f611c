"""What the catalogs say of the fence."""

from __future__ import annotations

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import Relation, each_database, writable_relations
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.marker import read_marker
from rotator.domain.database import FenceState


def open_relations(connection: Connection) -> tuple[Relation, ...]:
    """The tables of this database that take writes."""
    relations = writable_relations(connection)
    rows = connection.execute(fence_sql.OPEN_TABLES, [[relation.oid for relation in relations]]).fetchall()
    still_open = {int(row[0]) for row in rows}
    return tuple(relation for relation in relations if relation.oid in still_open)


def fence_state(target: Target) -> FenceState:
    """On only if every table of every database carries the trigger, enabled always, and its function refuses."""

    def look(database: str, connection: Connection) -> tuple[int, tuple[str, ...], bool]:
        still_open = open_relations(connection)
        fenced = len(writable_relations(connection)) - len(still_open)
        leased = connection.execute(fence_sql.IS_LEASED).rowcount > 0
        return fenced, tuple(relation.within(database) for relation in still_open), leased

    found = each_database(target, "look at the fence", look)
    with session(target, doing="read the marker") as connection:
        marker = read_marker(connection)
    fenced = sum(count for count, _, _ in found)
    still_open = tuple(table for _, tables, _ in found for table in tables)
    return FenceState(
        on=fenced > 0 and not still_open,
        rotation_id=marker.rotation_id if marker else None,
        fenced_tables=fenced,
        open_tables=still_open,
        leased=any(leased for _, _, leased in found),
    )
