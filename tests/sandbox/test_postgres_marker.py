"""The marker and the probe, the sequences, the statistics, the clients."""

import os
import signal

import psycopg
import pytest
from pg_fixture import PgServer
from pg_writers import reached

from rotator.database.compare import compare_sequences
from rotator.database.postgres.activity import end_clients
from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import CounterState, EndedClients

pytestmark = pytest.mark.postgres


def test_a_probe_is_refused_by_the_fence_and_accepted_without(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        assert server.probe("before") == (None, False)
        assert not server.has_probe("before")
        server.fence("r1", 10)
        assert server.probe("fenced") == ("blue", False)
        assert not server.has_probe("fenced")
        server.mark("green")
        server.unfence()
        assert server.probe("lifted") == ("green", True)
        assert server.has_probe("lifted")
        assert server.fence_state().rotation_id == "r1"


def test_the_marker_is_written_past_the_fence_and_keeps_its_rotation(pg: PgServer) -> None:
    with pg.database() as name:
        server = PostgresServer(pg.target(name))
        server.mark("blue")
        assert server.probe("t") == ("blue", True)
        server.fence("r7", 10)
        server.mark("green")
        assert server.fence("r7", 10).rotation_id == "r7"
        assert server.probe("t2") == ("green", False), "the same rotation's fence does not change the role"
        server.fence("r8", 10)
        assert server.probe("t3") == ("blue", False)
        assert pg.rows(name, "select count(*) from rotator.marker") == [(1,)]


def test_forget_leaves_nothing_and_is_idempotent(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        before = server.schema()
        server.fence("r1", 10)
        server.forget()
        server.forget()
        assert pg.rows(name, "select 1 from pg_namespace where nspname = 'rotator'") == []
        assert server.schema() == before
        pg.run(name, "insert into a values (1)")


def test_a_read_only_default_of_the_role_does_not_pass_for_a_fence(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        server.mark("green")
        pg.run("postgres", f"alter database {name} set default_transaction_read_only = on")
        assert server.probe("t") == ("green", False), "an ordinary client is refused"
        assert not server.fence_state().on


def test_sequences_and_advancing_them(pg: PgServer) -> None:
    with pg.database(
        "create sequence up",
        "create sequence down increment -1",
        "create sequence fresh start 5",
        "create table t (id int generated always as identity)",
        'create sequence "Odd ""one"" %s"',
    ) as name:
        server = PostgresServer(pg.target(name))
        green = server.counters()
        assert green[f"{name}.public.fresh"] == CounterState(5, False)
        assert green[f"{name}.public.down"] == CounterState(-1, False, -1)
        pg.run(
            name, "select nextval('up') from generate_series(1, 9)", "select nextval('down')", "select nextval('down')"
        )
        pg.run(name, "select setval('t_id_seq', 50)", """select nextval('"Odd ""one"" %s"')""")
        blue = server.counters()
        assert len(compare_sequences(blue, green)) == 4
        pg.run(name, "alter sequence up restart", "alter sequence down restart", "select setval('t_id_seq', 99)")
        moved = server.raise_counters(blue)
        assert moved == (f"{name}.public.down", f"{name}.public.up")
        assert compare_sequences(blue, server.counters()) == ()
        assert server.counters()[f"{name}.public.t_id_seq"].last_value == 99, "never back"
        assert server.raise_counters(blue) == ()


def test_extensions_have_their_versions(pg: PgServer) -> None:
    with pg.database("create extension citext") as name:
        found = PostgresServer(pg.target(name)).extensions()
        ((version,),) = pg.rows(name, "select extversion from pg_extension where extname = 'citext'")
    assert found[f"{name}.citext"] == version


def test_write_stats_count_the_applications_writes_only(pg: PgServer) -> None:
    with pg.database("create table a (i int)", "create table b (i int)") as name:
        server = PostgresServer(pg.target(name))
        pg.run("postgres", "select pg_stat_reset()")
        server.mark("green")
        assert server.probe("t") == ("green", True)
        assert server.write_stats().tables == ()
        pg.run(
            name, "insert into a values (1), (2), (3)", "update a set i = 9 where i = 1", "delete from a where i = 2"
        )
        assert reached(lambda: bool(server.write_stats().deleted))
        stats = server.write_stats()
    assert (stats.inserted, stats.updated, stats.deleted) == (3, 1, 1)
    assert stats.tables == (f"{name}.public.a",)


def test_end_clients_ends_all_but_ourselves(pg: PgServer) -> None:
    with pg.database() as name:
        clients = [pg.connect(name, autocommit=True) for _ in range(3)]
        ours = pg.connect(name, autocommit=True, application_name="rotator")
        server = PostgresServer(pg.target(name))
        assert server.end_clients() == EndedClients(3)
        for client in clients:
            with pytest.raises(psycopg.OperationalError):
                client.execute("select 1")
        ours.execute("select 1")
        ours.close()
        assert server.end_clients() == EndedClients(0)


def test_a_client_that_has_not_gone_in_time_is_told(pg: PgServer) -> None:
    with pg.database() as name, pg.connect(name, autocommit=True) as client:
        os.kill(client.info.backend_pid, signal.SIGSTOP)
        try:
            assert end_clients(pg.target(name), 0.2) == EndedClients(0, left=1)
        finally:
            os.kill(client.info.backend_pid, signal.SIGCONT)
