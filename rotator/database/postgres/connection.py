"""Connections: one per call, as the same kind of session on both sides, and errors in the project's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from rotator.database.interface import Target
from rotator.database.postgres.errors import statement_error, unreachable

APPLICATION = "rotator"
CONNECT_SECONDS = 10

Connection = psycopg.Connection[tuple[Any, ...]]

_SESSION = """
set search_path = pg_catalog;
set default_transaction_read_only = off;
set row_security = off;
set synchronous_commit = on;
set client_encoding = 'UTF8';
set timezone = 'UTC';
set datestyle = 'ISO, YMD';
set intervalstyle = 'postgres';
set extra_float_digits = 1;
set bytea_output = 'hex';
set lc_monetary = 'C';
set quote_all_identifiers = off;
set jit = off;
select set_config(name, '0', false) from pg_catalog.pg_settings
 where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                'idle_session_timeout', 'transaction_timeout');
"""
"""Whatever a role or a database has as defaults, both sides render values alike and nothing cuts a long pass short.

`row_security = off` makes a policy an error instead of a silent filter (PostgreSQL, "Row Security Policies").
"""


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
    finally:
        connection.close()


@contextmanager
def session(target: Target, database: str | None = None, *, doing: str) -> Iterator[Connection]:
    """A connection with the tool's fixed settings; otherwise as `plain_session`."""
    with plain_session(target, database, doing=doing) as connection:
        # By itself and first: a role's own limit would count for the whole batch.
        connection.execute("set statement_timeout = 0")
        connection.execute(_SESSION)
        yield connection


@contextmanager
def open_session(target: Target, database: str | None) -> Iterator[Connection]:
    """A connection with the tool's settings that stays open over several calls; their errors leave as DatabaseError."""
    with session(target, database, doing="cut over") as connection:
        yield connection
