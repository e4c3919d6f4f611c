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


@contextmanager
def session(target: Target, database: str | None = None, *, doing: str) -> Iterator[Connection]:
    """A connection with the tool's fixed settings, whatever the database and its roles have as defaults; autocommit.

    Every session of the tool is one of these. Raises DatabaseUnreachable; psycopg's errors leave as DatabaseError that
    names what was being done (`doing`).
    """
    connection = _connect(target, database)
    try:
        _pin(connection)
        yield connection
    except psycopg.Error as error:
        raise statement_error(target, connection, doing, error) from error
    except UnicodeError as error:
        raise encoding_error(target, connection, doing) from error
    finally:
        connection.close()


@contextmanager
def client_session(target: Target, database: str | None = None, *, doing: str) -> Iterator[Connection]:
    """As `session`, but with a client's own answer to the question whether it may write at all."""
    with session(target, database, doing=doing) as connection:
        connection.execute(settings.AS_A_CLIENT)
        yield connection


@contextmanager
def open_session(target: Target, database: str | None) -> Iterator[Connection]:
    """A connection with the tool's settings that stays open over several calls; their errors leave as DatabaseError."""
    with session(target, database, doing="cut over") as connection:
        yield connection


def fires_no_ordinary_trigger(connection: Connection) -> bool:
    """Whether triggers and event triggers of others, but for ALWAYS and REPLICA ones, keep still in this session."""
    return connection.execute(settings.IS_REPLICA).rowcount > 0


def _connect(target: Target, database: str | None) -> Connection:
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


def _pin(connection: Connection) -> None:
    """Give a connection the tool's fixed settings. The order matters: FIRST resolves no name."""
    for statement in settings.FIRST:
        connection.execute(statement)
    connection.execute(settings.PINNED, settings.pinned())
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        connection.execute("select set_config('client_encoding', %s, false)", [BYTES_AS_THEY_ARE])
    may = settings.MAY_BE_REPLICA_15 if connection.info.server_version >= 150000 else settings.MAY_BE_REPLICA
    if connection.execute(may).rowcount > 0:
        connection.execute(settings.REPLICA)
