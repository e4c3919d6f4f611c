"""The window where the master may make event triggers, as on RDS: DDL is recorded and refused."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from replication_pair import DATABASE, Pair, running_pair

from rotator.database.postgres.replication.subscribe import ORIGINS
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets, Passed
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

TABLES = (
    "create type mood as enum ('good')",
    "create table item (id bigserial primary key, v text default 'a', m mood)",
    "create view seen as select id from item",
    "create materialized view total as select count(*) n from item",
    "insert into item (v) select 'v' || i from generate_series(1, 200) i",
)
NOW = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def module_pair() -> Iterator[Pair]:
    with running_pair(*TABLES, superuser=True) as made:
        made.open()
        made.follow()
        yield made


@pytest.fixture
def fresh() -> Iterator[Pair]:
    with running_pair(*TABLES, superuser=True) as made:
        made.open()
        made.follow()
        yield made


def flip(pair: Pair) -> Passed:
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        return window.run()


DDL = (
    "alter table item alter v set default 'b'",
    "alter type mood add value 'bad'",
    "create or replace view seen as select id from item where id > 0",
    "grant select on item to public",
    "alter sequence item_id_seq increment 2",
    "create policy mine on item",
    "create function late() returns int language sql as 'select 1'",
    "comment on table item is 'recorded at least'",
)


@pytest.mark.parametrize("statement", DDL[:-1])
def test_any_ddl_between_the_last_look_and_the_fence_is_found(module_pair: Pair, statement: str) -> None:
    with module_pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        module_pair.run(statement)
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "validate-schema"
    module_pair.run("insert into item (v) values ('writes go on')")


def test_ddl_is_recorded_with_who_and_what_and_refreshing_a_view_is_none(module_pair: Pair) -> None:
    before = len(module_pair.forward.ddl())
    module_pair.run("refresh materialized view total", "create temporary table t (i int)")
    assert len(module_pair.forward.ddl()) == before
    module_pair.run(DDL[-1])
    (line,) = module_pair.forward.ddl()[before:]
    assert line.startswith(f"{DATABASE}: COMMENT table public.item by shop_admin at ")


def test_a_feed_that_writes_past_the_fence_stops_the_window(module_pair: Pair) -> None:
    module_pair.run(
        "create subscription feed connection 'host=127.0.0.1 port=1' publication p"
        " with (connect = false, slot_name = s)",
        "alter subscription feed enable",
    )
    with module_pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "subscription"
    module_pair.run(
        "alter subscription feed disable", "alter subscription feed set (slot_name = none)", "drop subscription feed"
    )


def test_without_slots_for_the_way_back_nothing_is_shut(fresh: Pair) -> None:
    fresh.back.release()
    with (
        pytest.raises(DatabaseError) as caught,
        fresh.forward.window(NOW, (), retain_back=True) as window,
    ):
        window.prepare(nothing, nothing)
    assert caught.value.code == "way-back"
    fresh.run("insert into item (v) values ('writes go on')")


def test_the_whole_way_with_ddl_refused_on_both_sides(fresh: Pair) -> None:
    """Quarantine, subscribe, flip, way back and closing all make things on servers that refuse DDL to everybody."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        fresh.run("create table stray (i int)", on=fresh.green)
    passed = flip(fresh)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        fresh.run("create table stray (i int)")
    fresh.run("create table on_green (i int primary key)", "insert into item (v) values ('green')", on=fresh.green)
    turn(fresh, passed)
    fresh.back.catch_up(30.0)
    assert fresh.rows("select count(*) from item where v = 'green'") == [(1,)]
    assert fresh.back.not_carried() == (f"{DATABASE}.public.on_green",)
    fresh.back.detach()
    fresh.forward.close()
    fresh.back.close()
    assert PostgresServer(fresh.source).fence_state().on
    for side in (fresh.blue, fresh.green):
        assert fresh.rows("select 1 from pg_publication where pubname like 'rotator%'", on=side) == []
        assert fresh.rows("select 1 from pg_event_trigger where evtname like 'rotator_guard%'", on=side) == []
        assert fresh.rows("select 1 from pg_roles where rolname like 'rotator%'", on=side) == []


def test_a_green_that_crashes_right_after_the_flip_sends_nothing_twice(fresh: Pair) -> None:
    """Before version 16 the slots were moved on, which a crash forgets: the subscription knows where to begin."""
    passed = flip(fresh)
    fresh.run("insert into item (v) values ('before the crash')", on=fresh.green)
    assert fresh.green is not None
    fresh.green.kill()
    fresh.green = fresh.green.start()
    turn(fresh, passed)
    fresh.back.catch_up(30.0)
    both = [fresh.rows("select id, v from item order by id", on=side) for side in (fresh.blue, fresh.green)]
    assert both[0] == both[1]
    assert fresh.back.attached()
    with fresh.connect() as connection:
        assert bool(passed.back) is (connection.info.server_version < ORIGINS)


def turn(pair: Pair, passed: Passed) -> None:
    pair.forward.detach()
    pair.forward.release()
    pair.back.attach(passed.back or None)
    pair.back.start()
