"""What customers have in their databases, through a rotation's replication: their own event triggers, unlogged caches,
temporary tables in every session, materialized views over functions with unqualified names."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from pg_fixture import PgServer, running_server
from replication_pair import Pair, running_pair

from rotator.database.postgres.connection import session
from rotator.database.postgres.replication import guard
from rotator.database.postgres.replication.views import refresh_stale
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets, Verified
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

NOW = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)
TABLES = (
    "create table item (id bigserial primary key, v text)",
    "insert into item (v) select 'v' || i from generate_series(1, 100) i",
    "create unlogged table cache (k text primary key, v text)",
    "create table ddl_log (id bigserial primary key, tag text not null)",
    "create function log_ddl() returns event_trigger language plpgsql as $$"
    " begin insert into public.ddl_log (tag) values (tg_tag); end $$",
    "create function no_ddl() returns event_trigger language plpgsql as $$"
    " begin if session_user <> 'deployer' then raise exception 'DDL only by deployer'; end if; end $$",
)
TRIGGERS = (
    "create event trigger audit_ddl on ddl_command_end execute function log_ddl()",
    "create event trigger no_ddl on ddl_command_start execute function no_ddl()",
)
TEMPORARY = (
    "create temp table scratch (n int generated always as identity, x text) on commit drop",
    "insert into scratch (x) values ('a')",
    "create type pg_temp.mood as enum ('glad')",
    "create policy mine on scratch using (true)",
    "create statistics pg_temp.s on n, x from scratch",
    "create function pg_temp.f(int) returns int language sql as 'select 1'",
    "create domain pg_temp.small as int check (value < 9)",
)


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def followed() -> Iterator[tuple[Pair, Verified]]:
    """Opened, restored, followed and compared, with the triggers in place from before the rotation."""
    with running_pair(*TABLES, superuser=True) as pair:
        pair.run(*TRIGGERS)
        pair.open()
        pair.follow()
        pair.forward.catch_up(30.0)
        yield pair, pair.forward.verify(nothing)


VIEWS = (
    "create table item (id bigserial primary key, v text)",
    "insert into item (v) select 'v' || i from generate_series(1, 100) i",
    "create function item_count() returns bigint language sql stable as 'select count(*) from item'",
    "create materialized view total as select item_count() as n",
    "create schema odd",
    "create table odd.only_here (id int primary key)",
    "set search_path = odd; create function odd.hidden() returns bigint language sql stable as"
    " 'select count(*) from only_here'; create materialized view public.hidden as select odd.hidden() as n;"
    " reset search_path",
)


def test_views_are_refreshed_with_the_settings_of_their_owner_or_told(pg: PgServer) -> None:
    """Before version 17, REFRESH finds unqualified names by the session's search_path."""
    with pg.connect("postgres") as connection:
        if connection.info.server_version >= 170000:
            pytest.skip("since version 17 REFRESH has a search_path of its own")
    with pg.database(*VIEWS) as name, running_server() as green:
        green.run("postgres", f"create database {name}")
        green.run(name, *VIEWS)
        for server in (pg, green):
            server.run(name, "insert into item (v) values ('more')", "insert into odd.only_here values (1)")
        pg.run(name, "refresh materialized view total")
        pg.run(name, "set search_path = odd; refresh materialized view public.hidden")
        found = {each.code: each for each in PostgresServer(pg.target()).preflight_replicate("r", strengthen=True)}
        assert "hidden" in found["view-functions"].what
        assert "total" in found["view-functions"].what
        seen = refresh_stale(pg.target(name), green.target(name))
        assert green.rows(name, "select n from total") == [(101,)]
        assert seen.refreshed == (f"{name}.public.total",)
        assert seen.stale == (f"{name}.public.hidden (SQLSTATE 42P01)",), "told, and no reason to fail"
        green.run("postgres", f"alter database {name} set search_path = odd, public")
        assert refresh_stale(pg.target(name), green.target(name)).refreshed == (f"{name}.public.hidden",)


def test_own_event_triggers_of_a_customer_neither_log_nor_refuse(followed: tuple[Pair, Verified]) -> None:
    pair, verified = followed
    assert verified.differences == ()
    assert pair.rows("select count(*) from ddl_log") == [(0,)]
    assert pair.rows("select count(*) from ddl_log", pair.green) == [(0,)]


def test_temporary_objects_of_any_session_show_in_no_fingerprint(followed: tuple[Pair, Verified]) -> None:
    pair, _ = followed
    server = PostgresServer(pair.source)
    with session(pair.source, doing="look") as ours, pair.connect() as theirs:
        before, schema_hash = server.schema(), guard.schema_hash(ours)
        theirs.execute("set session_replication_role = replica")  # past the customer's own trigger; committed each
        for statement in TEMPORARY:
            theirs.execute(statement.replace(" on commit drop", ""))  # type: ignore[call-overload]
        assert guard.schema_hash(ours) == schema_hash
        assert server.schema() == before
    with pair.connect(autocommit=False) as theirs:
        for statement in ("alter event trigger no_ddl disable", *TEMPORARY):
            theirs.execute(statement)  # type: ignore[call-overload]
        theirs.execute("drop table scratch")
        assert theirs.execute("select tag, object from rotator.ddl").fetchall() == []
        theirs.rollback()


def test_the_window_passes_beside_temporary_tables_and_only_while_unlogged_ones_are_empty(
    followed: tuple[Pair, Verified],
) -> None:
    pair, _ = followed
    stop = threading.Event()

    def scratch() -> None:
        with pair.connect(autocommit=False) as connection:
            connection.execute("set session_replication_role = replica")
            while not stop.is_set():
                try:
                    for statement in TEMPORARY[:2]:
                        connection.execute(statement)  # type: ignore[call-overload]
                    connection.commit()
                except psycopg.errors.ReadOnlySqlTransaction:
                    return  # fenced

    worker = threading.Thread(target=scratch)
    worker.start()
    try:
        pair.run("insert into cache values ('a', 'b')")
        with pytest.raises(DatabaseError) as caught, pair.forward.window(NOW, (), retain_back=True) as window:
            window.prepare(nothing, nothing)
        assert (caught.value.code, "cache" in caught.value.what) == ("unlogged-table", True)
        pair.run("delete from cache")  # pages, and no rows
        with pair.forward.window(NOW, (), retain_back=True) as window:
            window.prepare(nothing, nothing)
            pair.run("insert into cache values ('at the last moment', 'b')")
            with pytest.raises(DatabaseError) as caught:
                window.run()
        assert caught.value.code == "unlogged-table"
        pair.run("truncate cache")  # writes go through again
        with pair.forward.window(NOW, (), retain_back=True) as window:
            window.prepare(nothing, nothing)
            window.run()
    finally:
        stop.set()
        worker.join()
    pair.run("insert into cache values ('c', 'd')", on=pair.green)
    assert pair.rows("select count(*) from ddl_log", pair.green) == [(0,)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("alter event trigger audit enable", False),
        ("alter event trigger audit enable always", True),
        ("alter event trigger audit enable replica", True),
        ("alter event trigger audit disable", False),
    ],
)
@pytest.mark.parametrize("privileged", [True, False])
def test_a_trigger_that_cannot_be_kept_still_is_a_finding(
    pg: PgServer, change: str, found: bool, privileged: bool
) -> None:
    with pg.database(
        "create function public.f() returns event_trigger language plpgsql as 'begin end'",
        "create event trigger audit on ddl_command_end execute function public.f()",
        change,
        f"drop role if exists visitor; create role visitor login password '{pg.password}'",
    ) as name:
        target = pg.target(name) if privileged else pg.target(name, user="visitor")
        findings = [each for each in PostgresServer(target).preflight() if each.code == "event-trigger"]
        pg.run(name, "drop event trigger audit")
    fires = found if privileged else change.endswith(("enable", "always"))
    assert [(each.blocks, "audit" in each.what) for each in findings if name in each.what] == [(True, True)] * fires
