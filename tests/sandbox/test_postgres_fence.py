import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from pg_fixture import PgServer
from pg_writers import TABLES, reached, writing

from rotator.database.postgres.fence.unfence import BUSY_MILLISECONDS, unfence
from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import FenceState
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

HOLDERS = "select from pg_locks where granted and relation = 'a'::regclass and mode = 'RowExclusiveLock'"
LEFTOVERS = """
select 'trigger ' || tgname || ' ' || tgrelid::regclass from pg_trigger where tgname like 'rotator%'
union all select 'event trigger ' || evtname from pg_event_trigger where evtname like 'rotator%'
union all select 'function ' || proname from pg_proc where pronamespace::regnamespace::text = 'rotator'
"""


def contents(server: PostgresServer) -> dict[str, object]:
    return {str(table): server.checksum(table, lambda fraction, text: None) for table in server.tables()}


@pytest.mark.parametrize("attempt", range(3))
def test_nothing_is_written_after_the_fence_by_any_route(pg: PgServer, attempt: int) -> None:
    with pg.database(*TABLES) as name:
        server = PostgresServer(pg.target(name))
        with writing(pg, name) as writers:
            state = server.fence(f"r{attempt}", 20)
            assert state.on
            before, schema = contents(server), server.schema()
            refused = [len(writer.refused) for writer in writers]
            assert reached(lambda: all(len(writer.refused) > n + 5 for writer, n in zip(writers, refused, strict=True)))
            assert contents(server) == before
            assert server.schema() == schema
            assert server.fence_state().on
        assert {state for writer in writers for state in writer.refused[-5:]} == {"25006"}
        acknowledged = {(writer.name, n) for writer in writers for n in writer.acknowledged}
        assert acknowledged <= set(pg.rows(name, "select writer, n from ack"))
        server.unfence()
        assert pg.rows(name, LEFTOVERS) == []
        with writing(pg, name):
            assert not server.fence_state().on


def test_every_table_of_every_database_is_fenced_and_readers_go_on(pg: PgServer) -> None:
    with (
        pg.database("create table a (i int)") as one,
        pg.database("create schema x", "create table x.b (i int)") as two,
    ):
        server = PostgresServer(pg.target("postgres"))
        reader = pg.connect(one)
        reader.execute("select * from a")
        assert server.fence("r1", 10).on
        for name, table in ((one, "a"), (two, "x.b")):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="moving to a new encryption key"):
                pg.run(name, f"insert into {table} values (1)")
        reader.execute("select * from a")
        reader.close()
        server.unfence()
        pg.run(one, "insert into a values (1)")
        pg.run(two, "insert into x.b values (1)")
        assert pg.rows(one, LEFTOVERS) == pg.rows(two, LEFTOVERS) == pg.rows("postgres", LEFTOVERS) == []
        assert pg.rows(one, "select 1 from pg_namespace where nspname = 'rotator'") == []


def test_fence_and_lift_are_idempotent(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        first = server.fence("r1", 10)
        assert server.fence("r1", 10) == first == server.fence_state()
        assert first.rotation_id == "r1"
        assert first.fenced_tables >= 2
        server.unfence()
        server.unfence()
        state = server.fence_state()
        assert not state.on
        assert f"{name}.public.a" in state.open_tables
        assert server.fence("r2", 10).rotation_id == "r2"
        server.forget()
        assert pg.rows(name, LEFTOVERS) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "alter table a disable trigger rotator_fence",
        "alter table a enable trigger rotator_fence",
        "drop trigger rotator_fence on a",
        "drop schema rotator cascade",
        "create or replace function rotator.refuse_write() returns trigger language plpgsql"
        " as 'begin return null; end'",
    ],
)
def test_a_fence_that_somebody_opened_is_not_on_and_can_be_raised_again(pg: PgServer, tampering: str) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        server.fence("r1", 10)
        pg.run(name, "alter event trigger rotator_fence_ddl disable", "alter event trigger rotator_fence_drop disable")
        pg.run(name, tampering)
        state = server.fence_state()
        assert not state.on
        assert f"{name}.public.a" in state.open_tables
        assert server.fence("r1", 10).on


def test_a_writer_in_the_way_is_named_and_nothing_stays_fenced(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as one, pg.database("create table b (i int)") as two:
        server, last = PostgresServer(pg.target("postgres")), max(one, two)
        table = "a" if last == one else "b"
        with pg.connect(last, application_name="nightly batch") as writer:
            writer.execute(f"insert into {table} values (1)")
            pid = writer.info.backend_pid
            with pytest.raises(DatabaseError) as caught:
                server.fence("r1", 0.8)
            writer.commit()
        assert caught.value.code == "fence-timeout"
        assert caught.value.fix
        (line,) = [line for line in caught.value.details if f"pid {pid}" in line]
        assert f"public.{table}" in line
        assert "user postgres" in line
        assert "nightly batch" in line
        for name in (one, two, "postgres"):
            assert pg.rows(name, LEFTOVERS) == []


def test_a_prepared_transaction_in_the_way_is_named(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        pg.run(name, "begin; insert into a values (1); prepare transaction 'forgotten'")
        with pytest.raises(DatabaseError) as caught:
            PostgresServer(pg.target(name)).fence("r1", 0.5)
        pg.run(name, "rollback prepared 'forgotten'")
        assert any("prepared transaction 'forgotten'" in line and "public.a" in line for line in caught.value.details)
        assert pg.rows(name, LEFTOVERS) == []


CLOSED = "select 1 from pg_event_trigger where evtname = 'rotator_fence_ddl'"


@contextmanager
def fencing(server: PostgresServer) -> Iterator[list[FenceState]]:
    """A fence being raised in another thread; the list has its state once it has returned."""
    found: list[FenceState] = []
    thread = threading.Thread(target=lambda: found.append(server.fence("r1", 20)))
    thread.start()
    yield found
    thread.join(25)
    assert found == [server.fence_state()]
    assert found[0].on


def returns_early(found: list[FenceState]) -> bool:
    """Whether the fence returns although somebody must be waited for."""
    return reached(lambda: bool(found), seconds=0.5)


def test_a_table_made_by_a_transaction_that_was_open_is_fenced_too(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        late = pg.connect(name)
        late.execute("create table unseen (i int); insert into unseen values (1)")
        with fencing(PostgresServer(pg.target(name))) as found:
            assert reached(lambda: bool(pg.rows(name, CLOSED)))
            assert not returns_early(found)
            late.execute("insert into unseen values (2)")
            late.commit()
            late.close()
        assert pg.rows(name, "select i from unseen order by 1") == [(1,), (2,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pg.run(name, "insert into unseen values (3)")


COVERED = "select 1 from pg_trigger where tgrelid = 'a'::regclass and tgname = 'rotator_fence'"


@contextmanager
def fence_before_its_close(pg: PgServer) -> Iterator[tuple[str, psycopg.Connection[Any], list[FenceState]]]:
    """A database whose table `a` is covered but not closed: a writer elsewhere holds up the fence until it commits."""
    with pg.database("create table a (i int)") as one, pg.database("create table a (i int)") as two:
        first, last = sorted((one, two))
        holder = pg.connect(last)
        holder.execute("insert into a values (0)")
        with fencing(PostgresServer(pg.target(first))) as found:
            assert reached(lambda: bool(pg.rows(first, COVERED)))
            yield first, holder, found
        holder.close()


@pytest.mark.parametrize(
    ("statement", "writes"),
    [
        ("insert into a values (1)", True),
        ("prepare p as insert into a select 1; execute p", True),
        ("lock table a in row exclusive mode", False),
    ],
)
def test_a_transaction_that_passed_the_trigger_before_it_closed_is_waited_for(
    pg: PgServer,
    statement: str,
    writes: bool,
) -> None:
    with fence_before_its_close(pg) as (name, holder, found):
        client = pg.connect(name)
        client.execute(statement)  # type: ignore[call-overload]
        holder.commit()
        assert reached(lambda: bool(pg.rows(name, CLOSED)))
        assert not returns_early(found)
        client.commit()
        client.close()
        assert pg.rows(name, "select count(*) from a") == [(int(writes),)]


def test_a_statement_that_passed_the_trigger_and_has_written_nothing_yet_is_waited_for(pg: PgServer) -> None:
    asleep = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and backend_xid is null"
    with fence_before_its_close(pg) as (name, holder, found):
        slow = threading.Thread(target=pg.run, args=(name, "insert into a select 1 from (select pg_sleep(1.5)) s"))
        slow.start()
        assert reached(lambda: bool(pg.rows(name, asleep)))
        holder.commit()
        assert reached(lambda: bool(found))
        assert pg.rows(name, "select count(*) from a") == [(1,)], "the fence returned before the writer had ended"
        slow.join(5)


def test_an_open_transaction_that_wrote_elsewhere_is_named(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name, pg.connect(name, application_name="ddl") as late:
        late.execute("create table unseen (i int)")
        with pytest.raises(DatabaseError) as caught:
            PostgresServer(pg.target(name)).fence("r1", 0.6)
        assert any(f"pid {late.info.backend_pid}" in line and "ddl" in line for line in caught.value.details)
        assert pg.rows(name, LEFTOVERS) == []


def test_a_client_that_locks_in_the_other_order_does_not_stop_the_fence(pg: PgServer) -> None:
    with pg.database("create table a (i int)", "create table z (i int)") as name:
        server, client = PostgresServer(pg.target(name)), pg.connect(name)
        client.execute("insert into z values (1)")
        with fencing(server):
            waiting = "select 1 from pg_locks where not granted and relation = 'z'::regclass"
            assert reached(lambda: bool(pg.rows(name, waiting)))
            client.execute("insert into a values (1)")
            client.commit()
            client.close()
        assert pg.rows(name, "select count(*) from a") == pg.rows(name, "select count(*) from z")


@pytest.mark.parametrize(
    "statement",
    [
        "create table more (i int)",
        "create table more as select 1 i",
        "select 1 i into more",
        "alter table a add column j int",
        "drop table a cascade",
        "drop index i",
        "alter table a disable trigger rotator_fence",
        "refresh materialized view mv",
        "create extension citext",
        "create function more() returns int language sql as 'select 1'",
        "create schema more",
        "comment on table a is 'x'",
        "grant select on a to public",
    ],
)
def test_ddl_is_refused_as_well(pg: PgServer, statement: str) -> None:
    with pg.database(
        "create table a (i int)", "create index i on a (i)", "create materialized view mv as select count(*) from a"
    ) as name:
        server = PostgresServer(pg.target(name))
        server.fence("r1", 10)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="refused now"):
            pg.run(name, statement)
        pg.run(name, "set session_replication_role = replica")
        pg.run(name, "create temp table mine (i int); insert into mine values (1); drop table mine")
        server.unfence()


def test_refused_inserts_take_no_number_of_a_sequence(pg: PgServer) -> None:
    with pg.database("create table a (i bigserial, j int generated always as identity, v text)") as name:
        server = PostgresServer(pg.target(name))
        pg.run(name, "insert into a (v) values ('x')")
        before = server.counters()
        server.fence("r1", 10)
        for statement in ("insert into a (v) values ('y')", "insert into a (v) select 'z'"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                pg.run(name, statement)
        with (
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
            pg.connect(name) as client,
            client.cursor().copy("copy a (v) from stdin") as stream,
        ):
            stream.write_row(["copied"])
        assert server.counters() == before


def test_a_long_reader_cannot_hold_up_the_opening(pg: PgServer) -> None:
    with pg.database("create table a (i int)", "create table b (i int)") as name:
        server = PostgresServer(pg.target(name))
        with pg.connect(name) as reader:
            reader.execute("select * from a")
            server.fence("r1", 10)
            with pytest.raises(DatabaseError) as caught:
                unfence(pg.target(name), clean_up_seconds=0.5)
            assert caught.value.code == "fence-leftovers"
            assert caught.value.details == (f"{name}.public.a",)
            pg.run(name, "insert into a values (1)", "insert into b values (1)", "create table c ()")
            assert not server.fence_state().on
        server.unfence()
        assert pg.rows(name, LEFTOVERS) == []


@contextmanager
def never_idle(pg: PgServer, name: str) -> Iterator[None]:
    """Writers of a table whose transactions take 100 ms each and overlap: at every moment one is half over."""
    stop = threading.Event()

    def write() -> None:
        with pg.connect(name, autocommit=True) as client:
            while not stop.is_set():
                with client.transaction():
                    client.execute("insert into a values (1)")
                    client.execute("select pg_sleep(0.1)")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for number, thread in enumerate(threads):
        thread.start()
        assert reached(lambda number=number: len(pg.rows(name, HOLDERS)) > number)  # type: ignore[misc]
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_table_that_is_never_idle_is_had_by_waiting_a_little_longer(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        server = PostgresServer(pg.target(name))
        server.fence("r1", 10)
        with pg.connect(name) as reader:  # so that the opened fence's trigger stays
            reader.execute("select * from a")
            with pytest.raises(DatabaseError):
                unfence(pg.target(name), clean_up_seconds=0.1)
        with never_idle(pg, name):
            with pytest.raises(DatabaseError) as caught:
                unfence(pg.target(name), clean_up_seconds=1, table_milliseconds=BUSY_MILLISECONDS)
            assert caught.value.code == "fence-leftovers"
            server.forget(waits=10)
        assert pg.rows(name, LEFTOVERS) == []


def test_many_tables_take_little_time(pg: PgServer) -> None:
    make = "do $$ begin for i in 1..300 loop execute format('create table t%s (i int)', i); end loop; end $$"
    with pg.database(make) as name:
        server = PostgresServer(pg.target(name))
        begun = time.monotonic()
        assert server.fence("r1", 30).fenced_tables >= 301
        server.unfence()
        assert time.monotonic() - begun < 15


def test_hostile_names_are_fenced(pg: PgServer) -> None:
    odd = '"Odd ""name"" %s; --"'
    with pg.database(f"create schema {odd}", f"create table {odd}.{odd} (i int)") as name:
        server = PostgresServer(pg.target(name))
        assert server.fence("r1'; drop table x; --", 10).on
        assert server.fence_state().rotation_id == "r1'; drop table x; --"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pg.run(name, f"insert into {odd}.{odd} values (1)")
        server.unfence()
        pg.run(name, f"insert into {odd}.{odd} values (1)")


def test_a_foreign_schema_of_the_tools_name_is_left_alone(pg: PgServer) -> None:
    with pg.database("create schema rotator", "create table rotator.theirs (i int)") as name:
        server = PostgresServer(pg.target(name))
        with pytest.raises(DatabaseError) as caught:
            server.fence("r1", 5)
        assert caught.value.code == "foreign-schema"
        server.forget()
        assert pg.rows(name, "select 1 from rotator.theirs") == []
