"""What the window's fence says to one database, over its open connection."""

from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.fence.fence_functions import place_ddl_trigger
from rotator.database.postgres.reading.ownership import own_schema


def refusing(*, ddl: bool) -> list[sql.Composed]:
    """Nobody writes; nor changes the schema, where that is watched (`ddl`)."""
    return [fence_sql.install_refusal(), *([fence_sql.ddl_refusal()] if ddl else [])]


def opening(*, ddl: bool) -> list[sql.Composed]:
    """Everybody does."""
    return [fence_sql.open_refusal(), *([fence_sql.open_ddl_refusal()] if ddl else [])]


def at_once(connection: Connection, *statements: sql.Composed) -> None:
    """In one message and one transaction (PostgreSQL, "Multiple Statements in a Simple Query")."""
    connection.execute(sql.SQL("; ").join(statements))


def has_ddl_fence(connection: Connection) -> bool:
    """Whether the event triggers' function is there."""
    return ("refuse_ddl",) in connection.execute(fence_sql.FUNCTIONS).fetchall()


def watch(connection: Connection) -> bool:
    """Event triggers that let everything through for now; False where we may not make them."""
    own_schema(connection)
    return place_ddl_trigger(connection, refusing=False)
