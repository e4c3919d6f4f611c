"""Rows that the tool writes on the source and looks for on the target: brackets of a snapshot, heartbeats, markers.

They are published like any table, so the target has one exactly when it has all that was committed before it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.lsn import lsn
from rotator.database.postgres.names import SCHEMA
from rotator.database.postgres.replication.names import Names
from rotator.domain.errors import DatabaseError

_PUT = (
    f"insert into {SCHEMA}.sentinel (token) values (%s)"  # noqa: S608
    " on conflict (token) do update set at = clock_timestamp()"
)
_POLL_SECONDS = 0.002


def token(names: Names, kind: str) -> str:
    """The sentinel of that kind of this rotation and direction."""
    return f"{names.rotation_id} {'back ' if names.back else ''}{kind}"


def put(connection: Connection, text: str) -> None:
    """Write it, or renew it; committed when this returns."""
    connection.execute(_PUT, [text])


def has(connection: Connection, text: str) -> bool:
    """Whether it is here."""
    return connection.execute(f"select from {SCHEMA}.sentinel where token = %s", [text]).rowcount > 0


def age(connection: Connection, text: str, now: datetime) -> float | None:
    """Seconds from when it was last renewed to `now`; None when it is not here."""
    row = connection.execute(f"select at from {SCHEMA}.sentinel where token = %s", [text]).fetchone()  # noqa: S608
    return (now - row[0]).total_seconds() if row else None


def flushed(connection: Connection) -> int:
    """How far the server's log is on disk."""
    row = connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()
    return lsn(str(row[0])) if row else 0


def pass_through(
    source: Mapping[str, Connection], target: Mapping[str, Connection], text: str, deadline: float
) -> None:
    """Write `text` on the source and wait until it is on the target, in every database: all before it has arrived.

    Changes are applied one transaction after the other, in the order of their commits. Raises DatabaseError 'drain'.
    """
    for connection in source.values():
        put(connection, text)
    waiting = dict(target)
    while waiting:
        waiting = {name: connection for name, connection in waiting.items() if not has(connection, text)}
        if waiting and time.monotonic() >= deadline:
            raise DatabaseError(
                "green does not have all of blue's changes in time",
                why=f"a marker written on blue has not arrived in {', '.join(waiting)}",
                fix="look at the lag (rotator status), then run the same command again",
                code="window-drain",
            )
        if waiting:
            time.sleep(_POLL_SECONDS)


def forget(connection: Connection, text: str) -> None:
    """Remove one that has done its work."""
    connection.execute(f"delete from {SCHEMA}.sentinel where token = %s", [text])  # noqa: S608
