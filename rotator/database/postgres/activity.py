"""Who is connected, and what has been written."""

from __future__ import annotations

import time
from typing import Any

from psycopg import errors

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import each_database
from rotator.database.postgres.connection import APPLICATION, Connection, session
from rotator.database.postgres.names import SERVICE_DATABASE
from rotator.domain.database import EndedClients, WriteStats
from rotator.domain.qualified import qualified

END_SECONDS = 5.0
_POLL_SECONDS = 0.05

_CLIENTS = f"""
select pid from pg_stat_activity
 where backend_type = 'client backend' and pid <> pg_backend_pid()
   and datname not in (select d.datname from pg_database d where {SERVICE_DATABASE})
   and not (application_name = %s and usename = current_user)
"""  # noqa: S608

_WRITES = """
select schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables
 where n_tup_ins + n_tup_upd + n_tup_del > 0 and schemaname <> 'rotator'
 order by 1, 2
"""


def end_clients(target: Target, seconds: float = END_SECONDS) -> EndedClients:
    """Terminate the application's connections that we may signal, and wait up to `seconds` until they are gone."""
    with session(target, doing="end the clients") as connection:
        there = _pids(connection)
        told = {pid for pid in there if _terminate(connection, pid)}
        deadline = time.monotonic() + seconds
        while told & (left := set(there) & set(_pids(connection))) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    return EndedClients(len(told - left), len(left))


def write_stats(target: Target) -> WriteStats:
    """Rows written since the statistics began; a crash recovery resets them (PostgreSQL, "Monitoring Statistics").

    A busy session reports about once a second, and rows of rolled back transactions count too.
    """
    found = each_database(target, "read the write statistics", lambda name, connection: (name, _writes(connection)))
    rows = [(qualified(name, *row[:2]), *row[2:]) for name, rows in found for row in rows]
    return WriteStats(
        inserted=sum(int(row[1]) for row in rows),
        updated=sum(int(row[2]) for row in rows),
        deleted=sum(int(row[3]) for row in rows),
        tables=tuple(str(row[0]) for row in rows),
    )


def _writes(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(_WRITES).fetchall()


def _pids(connection: Connection) -> list[int]:
    rows = connection.execute(_CLIENTS, [APPLICATION]).fetchall()
    return [int(row[0]) for row in rows]


def _terminate(connection: Connection, pid: int) -> bool:
    try:
        row = connection.execute("select pg_terminate_backend(%s)", [pid]).fetchone()
    except errors.InsufficientPrivilege:
        return False
    return bool(row and row[0])
