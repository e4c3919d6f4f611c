"""The fence as on RDS: the master user is no superuser, only a member of the tables' owners."""

from collections.abc import Iterator

import psycopg
import pytest
from pg_fixture import PgServer

from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import EndedClients

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(pg: PgServer) -> Iterator[str]:
    pg.run(
        "postgres",
        f"create role app login password '{pg.password}'",
        f"create role master login createrole createdb password '{pg.password}'",
        "grant app, pg_signal_backend, pg_monitor to master",
        "grant create, connect on database postgres to master",
    )
    with pg.database(
        "create schema shop authorization app",
        "set role app",
        "create table shop.a (i int)",
        "reset role",
    ) as name:
        pg.run(name, f"grant create on database {name} to master", "set role app", "create table shop.a2 (i serial)")
        yield name
    pg.run("postgres", "drop owned by master cascade", "drop owned by app", "drop role master, app")


def test_the_fence_holds_without_superuser(pg: PgServer, db: str) -> None:
    server = PostgresServer(pg.target(db, user="master"))
    assert [finding for finding in server.preflight() if finding.blocks] == []
    assert server.fence("r1", 10).on
    for user in ("app", "postgres"):
        with pg.connect(db, user) as client, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            client.execute("insert into shop.a values (1)")
    assert server.probe("t1") == ("blue", False)
    assert not server.has_probe("t1")
    server.unfence()
    with pg.connect(db, "app") as client:
        client.execute("insert into shop.a values (1)")
    assert server.probe("t2") == ("blue", True)


def test_without_event_triggers_a_new_table_shows_as_open(pg: PgServer, db: str) -> None:
    server = PostgresServer(pg.target(db, user="master"))
    assert any(finding.code == "no-event-trigger" for finding in server.preflight())
    server.fence("r1", 10)
    with pg.connect(db, "app") as client:
        client.execute("create table shop.late (i int)")
    state = server.fence_state()
    assert not state.on
    assert state.open_tables == (f"{db}.shop.late",)


def test_end_clients_ends_those_it_may_and_counts_them(pg: PgServer, db: str) -> None:
    server = PostgresServer(pg.target(db, user="master"))
    client, untouchable = pg.connect(db, "app", autocommit=True), pg.connect(db, autocommit=True)
    assert server.end_clients() == EndedClients(1, left=1)
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")
    assert untouchable.execute("select 1").fetchone() == (1,)
    untouchable.close()
