import socket
from dataclasses import replace

import psycopg
import pytest
from pg_fixture import PgServer

from rotator.database.postgres.connection import session
from rotator.database.postgres.server import PostgresServer
from rotator.domain.errors import DatabaseError, DatabaseUnreachable

pytestmark = pytest.mark.postgres


def test_ping_gives_the_version(pg: PgServer) -> None:
    version = PostgresServer(pg.target()).ping()
    assert pg.rows("postgres", "show server_version")[0][0].startswith(version)
    assert int(version.split(".")[0]) >= 13


def test_wrong_password(pg: PgServer) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        PostgresServer(pg.target(password="not-the-pa55word")).ping()
    assert caught.value.code == "database-password"
    assert "not-the-pa55word" not in f"{caught.value.what} {caught.value.why} {caught.value.fix} {caught.value.details}"


def test_no_such_database(pg: PgServer) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        PostgresServer(pg.target("nowhere")).ping()
    assert caught.value.code == "database-missing"


def test_tls_that_the_server_has_not(pg: PgServer) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        PostgresServer(replace(pg.target(), sslmode="require")).ping()
    assert caught.value.code == "database-tls"


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = PgServer(taken.getsockname()[1], "x", __file__).target()  # type: ignore[arg-type]
        with pytest.raises(DatabaseUnreachable) as caught:
            PostgresServer(target).ping()
    assert caught.value.code == "database-refused"


def test_the_address_overrides_the_name(pg: PgServer) -> None:
    assert PostgresServer(replace(pg.target(), host="no-such-name.invalid")).ping()


def test_a_session_shows_itself_and_undoes_the_roles_defaults(pg: PgServer) -> None:
    pg.run(
        "postgres",
        "drop role if exists strict",
        f"create role strict login superuser password '{pg.password}'",
        "alter role strict set statement_timeout = '20ms'",
        "alter role strict set default_transaction_read_only = on",
        "alter role strict set timezone = 'Asia/Tokyo'",
    )
    with session(pg.target(user="strict"), doing="look") as connection:
        shown = {
            name: connection.execute(f"show {name}").fetchone()
            for name in ("application_name", "statement_timeout", "transaction_read_only", "timezone")
        }
    assert shown == {
        "application_name": ("rotator",),
        "statement_timeout": ("0",),
        "transaction_read_only": ("off",),
        "timezone": ("UTC",),
    }


def test_a_failed_statement_says_what_was_being_done_and_quotes_no_row(pg: PgServer) -> None:
    with (
        pg.database("create table t (id int primary key)", "insert into t values (4711)") as name,
        pytest.raises(DatabaseError) as caught,
        session(pg.target(), name, doing="insert a row") as connection,
    ):
        connection.execute("insert into public.t values (4711)")
    assert "insert a row" in caught.value.what
    assert "23505" in caught.value.why
    assert "4711" not in caught.value.why


def test_a_lost_connection_is_unreachable(pg: PgServer) -> None:
    with (
        pytest.raises(DatabaseUnreachable) as caught,
        session(pg.target(), doing="wait") as connection,
    ):
        connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert isinstance(caught.value.__cause__, psycopg.Error)
