"""Settings that a server takes at its start alone: what it runs with, and what waits for a restart.

A server that is restored starts anew, so green runs with what its parameter group says; blue may still run with what
the group said when it was started last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.domain.database import Finding

OF_THE_PLACE = (
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "event_source",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "unix_socket_directories",
)
"""Where a server lives: must differ, or says nothing of what the database does."""

_QUERY = """select name, coalesce(reset_val, ''), pending_restart from pg_catalog.pg_settings
  where context = 'postmaster' and name <> all (%s) and name not like 'recovery\\_target%%' order by name"""


def static_settings(target: Target) -> Mapping[str, tuple[str, bool]]:
    """Name -> the value that the server runs with, and whether another one waits for a restart."""
    with session(target, doing="read its settings") as connection:
        return _read(connection)


def pending(connection: Connection) -> Iterator[Finding]:
    """The finding for settings that wait for a restart (RDS calls their group pending-reboot)."""
    waiting = [f"{name} (now {value})" for name, (value, waits) in _read(connection).items() if waits]
    if waiting:
        yield Finding(
            "pending-restart",
            f"settings wait for a restart: {', '.join(waiting)}",
            "green starts with the new values, which this server has never run with",
            "reboot blue before the rotation, so that you see what they do, or put the parameters back; to accept it: "
            'parity_ignore = ["ParameterApplyStatus"] in [rotation]',
            blocks=True,
        )


def _read(connection: Connection) -> dict[str, tuple[str, bool]]:
    rows = connection.execute(sql.SQL(_QUERY), (list(OF_THE_PLACE),)).fetchall()
    return {str(name): (str(value), bool(waits)) for name, value, waits in rows}
