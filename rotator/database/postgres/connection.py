"""Connections: one per call, as the same kind of session on both sides, and errors in the project's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from rotator.database.interface import Target
from rotator.database.postgres import settings
from rotator.database.postgres.errors import encoding_error, statement_error, unreachable

APPLICATION = "rotator"
CONNECT_SECONDS = 10

Connection = psycopg.Connection[tuple[Any, ...]]

BYTES_AS_THEY_ARE = "LATIN1"
"""The client's encoding for a database in SQL_ASCII: the server converts nothing, and every byte is one character."""


def open_plain(target: Target, database: str | None = None) -> Connection:
    """Connect as any client would, with the session's own defaults; autocommit. Raises DatabaseUnreachable."""
    name = database if database is not None else target.database
    try:
        return psycopg.connect(
            host=target.host,
            hostaddr=target.address,
            port=target.port,
            user=target.user,
            password=target.password,
            dbname=name,
            sslmode=target.sslmode,
            sslrootcert=target.sslrootcert,
            application_name=APPLICATION,
            client_encoding="UTF8",
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=30,
            tcp_user_timeout=60_000,
            prepare_threshold=None,
            autocommit=True,
        )
    except psycopg.Error as error:
        raise unreachable(target, name, error) from None


@contextmanager
def plain_session(target: Target, database: str | None = None, *, doing: str) -> Iterator[Connection]:
    """A client's connection. psycopg's errors leave as DatabaseError that names what was being done (`doing`)."""
    connection = open_plain(target, database)
    try:
        yield connection
    except psycopg.Error as error:
        raise statement_error(target, connection, doing, error) from error
    except UnicodeError as error:
        raise encoding_error(target, connection, doing) from error
    finally:
        connection.close()


@contextmanager
def session(target: Target, database: str | None = None, *, doing: str) -> Iterator[Connection]:
    """A connection with the tool's fixed settings; otherwise as `plain_session`."""
    with plain_session(target, database, doing=doing) as connection:
        pin(connection)
        yield connection


def pin(connection: Connection) -> None:
    """Give a connection the tool's fixed settings."""
    for statement in settings.FIRST:
        connection.execute(statement)
    connection.execute(settings.PINNED, settings.pinned())
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        connection.execute("select set_config('client_encoding', %s, false)", [BYTES_AS_THEY_ARE])
    if may_be_replica(connection):
        connection.execute(settings.REPLICA)


def may_be_replica(connection: Connection) -> bool:
    """Whether the tool may keep the event triggers of others from firing for its own DDL."""
    if connection.execute(settings.MAY_BE_REPLICA).rowcount > 0:
        return True
    version = connection.info.server_version
    return version >= 150000 and connection.execute(settings.MAY_BE_REPLICA_15).rowcount > 0


@contextmanager
def open_session(target: Target, database: str | None) -> Iterator[Connection]:
    """A connection with the tool's settings that stays open over several calls; their errors leave as DatabaseError."""
    with session(target, database, doing="cut over") as connection:
        yield connection
