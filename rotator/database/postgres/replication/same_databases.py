"""No event trigger fires for CREATE DATABASE, and a new database has no fence: so the list of them is compared."""

from __future__ import annotations

from typing import Any

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import SERVICE_DATABASE
from rotator.domain.errors import DatabaseError

Listed = tuple[tuple[Any, ...], ...]

_DATABASES = f"""
select d.oid::bigint, d.datname, d.datallowconn, case when not d.datallowconn then d.xmin::text end
  from pg_database d where not {SERVICE_DATABASE} order by d.oid
"""  # noqa: S608
"""Of one that takes no connections, the row's version tells whether it was opened in between."""


def listed(connection: Connection) -> Listed:
    """All databases of the server, to be compared with a later look."""
    return tuple(connection.execute(_DATABASES).fetchall())


def refuse_others(connection: Connection, before: Listed) -> None:
    """Raises DatabaseError 'validate-schema' unless they are those of `before`."""
    if listed(connection) != before:
        raise DatabaseError(
            "a database was made, renamed, dropped, opened or closed just before the fence",
            why="what is written to it now would not reach the other side",
            fix="the flip did not happen. Take this rotation back with rollback, then rotate again when no databases"
            " are being made",
            code="validate-schema",
        )
