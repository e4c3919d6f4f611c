"""Bringing the fence's functions and event triggers into a database, where nothing is refused yet."""

from __future__ import annotations

from psycopg import errors

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.reading.ownership import keep_private, own_schema


def ready(connection: Connection) -> None:
    """Schema and trigger's function: a new one lets everybody through, one that is there goes on as it does.

    Raises DatabaseError 'foreign-schema'.
    """
    with connection.transaction():
        own_schema(connection)
        if ("refuse_write",) not in connection.execute(fence_sql.FUNCTIONS).fetchall():
            connection.execute(fence_sql.open_refusal())
            keep_private(connection)
        elif ("refuse_write",) not in connection.execute(fence_sql.SOUND_FUNCTIONS).fetchall():
            connection.execute(fence_sql.PIN_FUNCTION)


def place_ddl_trigger(connection: Connection, *, refusing: bool) -> bool:
    """Event triggers, anew, that refuse DDL or let it through for now; False where we may not make them."""
    try:
        with connection.transaction():
            connection.execute(fence_sql.drop_event_triggers())
            connection.execute(fence_sql.open_ddl_refusal())
            keep_private(connection)
            connection.execute(fence_sql.create_event_triggers(refusing=refusing))
    except errors.InsufficientPrivilege:
        return False
    return True
