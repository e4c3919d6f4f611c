"""Lifting the fence: open at once, then clean up.

The trigger's function is replaced by one that lets writes through, which takes no lock on any table: long readers
cannot hold up the opening. Only then the triggers are dropped, one table at a time, as that waits for its readers.
"""

from __future__ import annotations

import time

from psycopg import errors

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.names import SCHEMA
from rotator.database.postgres.reading.ownership import foreign, is_ours, strange
from rotator.domain.errors import DatabaseError
from rotator.domain.qualified import qualified

CLEAN_UP_SECONDS = 10.0
TABLE_MILLISECONDS = 500
"""How long others queue behind us at a table at most."""
BUSY_MILLISECONDS = 20
"""The same for a server that has just taken over; times `waits` where that has been too little."""
_BETWEEN_SECONDS = 0.2
_OLDER = 1.5
"""A holder older than this share of what may be waited will hardly end within the wait: nobody is made to queue."""
_OLD_HOLDERS = """
select 1 from pg_locks l join pg_stat_activity a on a.pid = l.pid join pg_class c on c.oid = l.relation
  join pg_namespace n on n.oid = c.relnamespace
 where l.locktype = 'relation' and l.granted and n.nspname = %s and c.relname = %s and a.pid <> pg_backend_pid()
   and l.database = (select oid from pg_database where datname = current_database())
   and a.xact_start < clock_timestamp() - make_interval(secs => %s)
"""


def unfence(
    target: Target, *, clean_up_seconds: float = CLEAN_UP_SECONDS, table_milliseconds: int = TABLE_MILLISECONDS
) -> None:
    """Open every database, then remove what the fence made. Idempotent.

    Raises DatabaseError 'fence-leftovers'; 'foreign-schema', once all others are open, where a database's fence is not
    the tool's own any more.
    """
    ours, refused = list[str](), list[DatabaseError]()
    for name in databases(target):
        with session(target, name, doing="lift the fence") as connection:
            if found := strange(connection):
                refused += [foreign(name, found)] if connection.execute(fence_sql.FENCED_ANYWHERE).rowcount else []
            elif is_ours(connection):
                _open(connection)
                ours.append(name)
    deadline = time.monotonic() + clean_up_seconds
    left: list[str] = []
    for name in ours:
        with session(target, name, doing="clean up after the fence") as connection:
            left += [qualified(name, *table) for table in _clean_up(connection, deadline, table_milliseconds)]
    for error in refused:
        raise error
    if left:
        raise DatabaseError(
            f"the fence is lifted and writes go through, but {len(left)} tables still carry its idle trigger",
            why="these tables were in use all the time, or long transactions hold them",
            fix="run the command again when they are less in use; until then the triggers do nothing",
            details=tuple(left),
            code="fence-leftovers",
        )


def _open(connection: Connection) -> None:
    functions = {str(row[0]) for row in connection.execute(fence_sql.FUNCTIONS).fetchall()}
    with connection.transaction():
        if "refuse_ddl" in functions:
            connection.execute(fence_sql.drop_event_triggers())
        if "refuse_write" in functions:
            connection.execute(fence_sql.open_refusal())


def _clean_up(connection: Connection, deadline: float, table_milliseconds: int) -> tuple[tuple[str, str], ...]:
    """Drop the triggers, the functions, and the schema if nothing is left in it; the tables that could not be had."""
    connection.execute(f"set lock_timeout = {table_milliseconds}")
    tables = [(str(row[0]), str(row[1])) for row in connection.execute(fence_sql.FENCED_ANYWHERE).fetchall()]
    busy = table_milliseconds < TABLE_MILLISECONDS
    while tables:
        tables = [
            table
            for table in tables
            if (busy and _held(connection, *table, table_milliseconds)) or not _drop(connection, *table)
        ]
        if tables and time.monotonic() >= deadline:
            return tuple(tables)
        if tables and busy:
            time.sleep(_BETWEEN_SECONDS)
    for function in ("refuse_write", "refuse_ddl"):
        connection.execute(f"drop function if exists {SCHEMA}.{function}()")
    if connection.execute("select from pg_class where relnamespace = to_regnamespace(%s)", [SCHEMA]).rowcount == 0:
        connection.execute(f"drop schema {SCHEMA}")
    return ()


def _held(connection: Connection, schema: str, table: str, milliseconds: int) -> bool:
    """Whether somebody has held the table for long, readers as well: a request would only hold up others."""
    seconds = _OLDER * milliseconds / 1000
    return connection.execute(_OLD_HOLDERS, [schema, table, seconds]).rowcount > 0


def _drop(connection: Connection, schema: str, table: str) -> bool:
    try:
        connection.execute(fence_sql.drop_trigger(schema, table))
    except errors.LockNotAvailable:
        return False
    return True
