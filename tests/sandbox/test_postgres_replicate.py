"""Opening, seeding, following, verifying, and what must be found before a flip: on two real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from replication_pair import DATABASE, MASTER, ROTATION, Pair, running_pair

from rotator.database.postgres.catalog import schema as catalog
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError
from rotator.rotation.steps.cutover.past_fence import PAST_FENCE
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres

TABLES = (
    "create table item (id bigserial primary key, v text)",
    "create table part (id int, at date, primary key (id, at)) partition by range (at)",
    "create table part_1 partition of part for values from ('2025-01-01') to ('2026-01-01')",
    "create materialized view total as select count(*) n from item",
    "insert into item (v) select 'v' || i from generate_series(1, 2000) i",
    "insert into part values (1, '2025-05-05')",
)
NOW = Budgets(calm=0.0)


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair(*TABLES) as made:
        yield made


@pytest.fixture
def following(pair: Pair) -> Pair:
    pair.open()
    pair.follow()
    return pair


def test_green_follows_from_the_exact_point_of_the_snapshot(pair: Pair) -> None:
    pair.open()
    with pair.connect(autocommit=False) as spanning:
        spanning.execute("insert into item (v) values ('open over the snapshot')")
        where = pair.snapshot()
        spanning.execute("update item set v = 'changed over the snapshot' where id = 1")
        spanning.commit()
    pair.run("truncate part_1", "insert into part values (2, '2025-06-06')", "delete from item where id = 2")
    pair.restore(where)
    pair.forward.attach(pair.seed())
    pair.forward.start()
    pair.forward.catch_up(60.0)
    for query in ("select * from item order by id", "select * from part order by id"):
        assert pair.rows(query) == pair.rows(query, pair.green)
    assert pair.rows("select v from item where id = 1", pair.green) == [("changed over the snapshot",)]


def test_opening_again_after_a_kill_changes_nothing(pair: Pair) -> None:
    pair.open()
    before = pair.forward.retention()
    pair.open()
    assert [each.name for each in pair.forward.retention()] == [each.name for each in before]
    assert len(before) == 1


def test_what_was_made_is_taken_away_again(pair: Pair) -> None:
    before = catalog.schema(pair.source)
    pair.open()
    assert pair.forward.retention()
    pair.forward.close()
    assert not pair.forward.retention()
    assert catalog.schema(pair.source) == before
    assert pair.rows("select 1 from pg_roles where rolname like 'rotator%'") == []


def test_a_restored_server_is_made_harmless(pair: Pair) -> None:
    pair.open()
    pair.run("select pg_create_logical_replication_slot('somebody', 'pgoutput')")
    pair.restore(pair.snapshot())
    words = pair.forward.quarantine(10.0)
    assert any("somebody" in word for word in words)
    assert pair.rows("select slot_name from pg_replication_slots", pair.green) == []
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        pair.run("insert into item (v) values ('stray')", on=pair.green)


def test_a_server_with_scheduled_jobs_is_put_in_quarantine_again_and_again() -> None:
    jobs = (
        "create schema cron",
        "create table cron.job (jobid bigint primary key, command text, active bool)",
        "insert into cron.job values (1, 'a', true), (2, 'b', false)",
        "create function told() returns trigger language plpgsql as $$ begin raise notice 'told'; return null; end $$",
        "create trigger told after update on cron.job for each statement execute function told()",
    )
    with running_pair(*TABLES, *jobs, superuser=True) as pair:
        pair.run(
            "set allow_system_table_mods = on; update pg_extension set extname = 'pg_cron' where extname = 'plpgsql';"
            " alter extension pg_cron add table cron.job"
        )
        pair.open()
        pair.restore(pair.snapshot())
        assert f"job 1 of pg_cron in {DATABASE} deactivated" in pair.forward.quarantine(10.0)
        shut = pair.forward.imprint()
        assert pair.forward.quarantine(10.0) == ()
        assert pair.forward.touched(shut) == ()
        by_hand = "; ".join(PAST_FENCE).format(
            table="cron.job", mend="update cron.job set active = true where jobid = 2"
        )
        pair.run(by_hand, on=pair.green)
        assert pair.forward.quarantine(10.0) == (f"job 2 of pg_cron in {DATABASE} deactivated",)
        assert pair.rows("select jobid from cron.job where active", pair.green) == []
        assert pair.forward.touched(shut)  # somebody has been past the fence
        shut = pair.forward.imprint()
        assert pair.forward.touched(shut) == ()
        for refused in ("update cron.job set active = true", "create table stray (id int)"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                pair.run(refused, on=pair.green)


def test_taking_one_rotation_away_leaves_what_another_needs() -> None:
    """Another clone's rotation has begun on the same server since."""
    with running_pair(*TABLES, superuser=True) as pair:
        other = PostgresChannel("local-g2-other", pair.source, pair.source, pinned=True)
        pair.open()
        other.open(strengthen=False, progress=nothing)
        pair.forward.close({f"{DATABASE}.public.item": "d"})
        assert pair.rows("select pubname from pg_publication") == [("rotator_local_g2_other",)]
        assert pair.rows("select slot_name from pg_replication_slots where slot_name like '%g1%'") == []
        pair.run("create table recorded (id int)", "drop table recorded")
        assert any("recorded" in line for line in other.ddl())
        other.mark("low")
        other.close({})
        assert pair.rows("select pubname from pg_publication") == []
        assert pair.rows("select evtname from pg_event_trigger") == []


def test_an_enabled_subscription_that_came_along_is_cut_off(pair: Pair) -> None:
    pair.run(
        f"create subscription feed connection 'host=127.0.0.1 port=1 user={MASTER} password=x' publication p"
        " with (connect = false, slot_name = feed_slot)",
        "alter subscription feed enable",
    )
    assert pair.forward.foreign_channels() == (f"{DATABASE}.feed",)
    pair.open()
    pair.restore(pair.snapshot())
    words = pair.forward.quarantine(10.0)
    assert f"subscription feed in {DATABASE} cut off from its slot" in words
    assert pair.rows("select subenabled, subslotname from pg_subscription", pair.green) == [(False, None)]
    pair.run("alter subscription feed disable", "alter subscription feed set (slot_name = none)")


def test_a_snapshot_from_before_the_slot_is_refused(pair: Pair) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        pair.rows("select * from rotator.sentinel")
    pair.open()
    pair.forward.close()
    pair.open()
    pair.run(f"delete from rotator.sentinel where token = '{ROTATION} slot'")
    where = pair.snapshot()
    pair.restore(where)
    pair.forward.quarantine(10.0)
    assert pair.bracket is not None
    found = pair.forward.seed(pair.log(), pair.bracket)
    assert found.position is None
    assert "older than the slot" in found.problem


def test_after_a_second_crash_recovery_the_seed_is_no_longer_certain(pair: Pair) -> None:
    pair.open()
    pair.restore(pair.snapshot())
    assert pair.green is not None
    pair.green.kill()
    pair.green = pair.green.start()
    pair.forward.quarantine(10.0)
    assert pair.bracket is not None
    found = pair.forward.seed(pair.log(), pair.bracket)
    assert found.position is None
    assert "fewer than two exact sources" in found.problem
    assert any("crash recoveries: 2" in line for line in found.figures)


def test_a_row_changed_by_hand_on_green_is_named(following: Pair) -> None:
    by_hand(following, "update item set v = 'by hand' where id = 77")
    found = following.forward.verify(nothing)
    assert any("item" in line and "77" in line for line in found.by_key)
    assert found.differences
    assert not any("77" in line for line in found.differences)


def test_a_table_dropped_on_green_is_found_by_the_schema(following: Pair) -> None:
    by_hand(following, "drop table part_1")
    blue, green = PostgresServer(following.source).schema(), PostgresServer(following.target).schema()
    assert any("part_1" in key for key in set(blue) - set(green))


def test_ddl_during_catching_up_shows_in_the_schema_and_stops_the_window(following: Pair) -> None:
    following.run("create table late (id int primary key)")
    with (
        pytest.raises(DatabaseError) as caught,
        following.forward.window(NOW, (), retain_back=True) as window,
    ):
        window.prepare(nothing, nothing)
    assert caught.value.code == "validate-schema"
    assert "late" in caught.value.what
    following.run("insert into item (v) values ('writes go on')")


def test_a_table_dropped_and_made_again_is_not_taken_for_the_same(following: Pair) -> None:
    following.run("drop table part_1", "create table part_1 partition of part for values from (minvalue) to (maxvalue)")
    with (
        pytest.raises(DatabaseError, match="part_1"),
        following.forward.window(NOW, (), retain_back=True) as window,
    ):
        window.prepare(nothing, nothing)


def test_a_change_that_cannot_be_applied_is_told_with_its_key(following: Pair) -> None:
    by_hand(following, "insert into item (id, v) values (999999, 'in the way')")
    following.run("insert into item (id, v) values (999999, 'from blue')")
    with pytest.raises(DatabaseError):
        following.forward.catch_up(5.0)
    found = following.forward.apply_errors(following.log())
    assert not any("999999" in line for line in found)
    assert any("(999999)" in line for line in following.forward.apply_keys(following.log()))
    assert any("public.item" in line for line in found)
    assert following.forward.lag().stopped


def test_views_that_have_become_stale_are_refreshed_on_green(following: Pair) -> None:
    following.forward.verify(nothing)
    assert following.forward.verify(nothing).refreshed == ()
    following.run("insert into item (v) values ('one more')", "refresh materialized view total")
    following.forward.catch_up(30.0)
    found = following.forward.verify(nothing)
    assert found.refreshed == (f"{DATABASE}.public.total",)
    assert following.rows("select n from total", following.green) == [(2001,)]


def test_the_rotations_password_is_in_no_log(following: Pair) -> None:
    assert following.green is not None
    with following.green.admin(DATABASE) as admin:
        (conninfo,) = admin.execute("select subconninfo from pg_subscription").fetchone() or ("",)
    password = re.search(r"password='?([^' ]+)", str(conninfo))
    assert password is not None
    for cluster in (following.blue, following.green):
        assert password[1] not in (cluster.folder / "server.log").read_text(errors="replace")


def test_subscribing_again_changes_the_password_and_loses_no_place(following: Pair) -> None:
    following.forward.attach(following.bracket.low if following.bracket else None)
    following.run("insert into item (v) values ('after the second time')")
    following.forward.catch_up(30.0)
    assert following.rows("select 1 from item where v = 'after the second time'", following.green) == [(1,)]


def test_lag_grows_while_nothing_is_applied_and_goes_away(following: Pair) -> None:
    names = Names(ROTATION)
    (slot,) = following.forward.retention()
    by_hand(following, f"alter subscription {slot.name} disable")
    following.run("insert into item (v) select repeat('x', 1000) from generate_series(1, 5000)")
    assert following.forward.lag().stopped == (slot.name,)
    assert not following.forward.attached()
    assert following.forward.retention()[0].retained > 4_000_000
    by_hand(following, f"alter subscription {names.slot(int(slot.name.rsplit('_', 1)[1]))} enable")
    following.forward.catch_up(60.0)
    assert following.forward.attached()


@pytest.mark.parametrize("setting", ["d", "n"])
def test_identities_are_set_to_full_and_put_back(setting: str) -> None:
    words = {"d": "default", "n": "nothing"}[setting]
    with running_pair("create table bare (a int, b text)", f"alter table bare replica identity {words}") as pair:
        with pytest.raises(DatabaseError) as caught:
            pair.open()
        assert caught.value.code == "no-replica-identity"
        known = pair.forward.weak_tables()
        assert known == {f"{DATABASE}.public.bare": setting}
        pair.open(strengthen=True)
        assert pair.rows("select relreplident from pg_class where relname = 'bare'") == [("f",)]
        pair.run("insert into bare values (1, 'one')", "update bare set b = 'two'")
        pair.follow()
        pair.run("update bare set b = 'three'")
        pair.forward.catch_up(30.0)
        assert pair.rows("select b from bare", pair.green) == [("three",)]
        pair.forward.detach()
        pair.forward.close(known)
        assert pair.rows("select relreplident from pg_class where relname = 'bare'") == [(setting,)]


def by_hand(pair: Pair, statement: str, on: Cluster | None = None) -> None:
    """Somebody with all rights, past the fence."""
    cluster = on or pair.green
    assert cluster is not None
    with cluster.admin(DATABASE) as admin:
        tables = admin.execute("select 1 from pg_trigger where tgname = 'rotator_fence'").rowcount
        if tables:
            admin.execute(
                "create or replace function rotator.refuse_write() returns trigger language plpgsql as"
                " 'begin return null; end'"
            )
        admin.execute(statement.encode())
