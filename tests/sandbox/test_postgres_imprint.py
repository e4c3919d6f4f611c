"""The imprint of a shut green, on two real servers: what changes it, what must not, and what the window makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from replication_pair import DATABASE, Pair, running_pair

from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError
from rotator.rotation.steps.cutover.past_fence import PAST_FENCE

pytestmark = pytest.mark.postgres

TABLES = (
    "create table item (id bigserial primary key, v text)",
    "create table part (id int, at date, primary key (id, at)) partition by range (at)",
    "create table part_1 partition of part for values from ('2025-01-01') to ('2026-01-01')",
    "create table parent (id int primary key)",
    "create table child (id int primary key, parent int references parent on delete cascade)",
    "create materialized view total as select count(*) n from item",
    "insert into item (v) select 'v' || i from generate_series(1, 50) i",
    "insert into parent values (1)",
    "insert into child values (1, 1)",
)
NOW = Budgets(calm=0.0)
OFF = ("alter event trigger rotator_fence_ddl disable", "alter event trigger rotator_fence_drop disable")
ON = ("alter event trigger rotator_fence_ddl enable always", "alter event trigger rotator_fence_drop enable always")


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def following() -> Iterator[Pair]:
    with running_pair(*TABLES, superuser=True, wal_retrieve_retry_interval="200ms") as pair:
        pair.open()
        pair.follow()
        yield pair


EVASIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "trigger off and on": (
        (
            "alter table item disable trigger rotator_fence",
            "update item set v = 'x' where id = 1",
            "alter table item enable always trigger rotator_fence",
        ),
        "public.item",
    ),
    "all triggers off and on": (
        (
            "alter table item disable trigger all",
            "delete from item where id = 2",
            "alter table item enable trigger all",
            "alter table item enable always trigger rotator_fence",
        ),
        "public.item",
    ),
    "a leaf's trigger": (
        (
            "alter table part_1 disable trigger rotator_fence",
            "insert into part_1 values (7, '2025-07-07')",
            "alter table part_1 enable always trigger rotator_fence",
        ),
        "public.part_1",
    ),
    "trigger dropped and made again": (
        (
            "drop trigger rotator_fence on item",
            "truncate item",
            "create trigger rotator_fence before insert or update or delete or truncate on item"
            " for each statement execute function rotator.refuse_write()",
            "alter table item enable always trigger rotator_fence",
        ),
        "public.item",
    ),
    "function replaced and put back": (
        (
            "do $$ declare old text := pg_get_functiondef('rotator.refuse_write'::regproc); begin"
            " execute 'create or replace function rotator.refuse_write() returns trigger language plpgsql as"
            " ''begin return null; end'''; update item set v = 'y' where id = 3; execute old; end $$",
        ),
        "opened or replaced",
    ),
    "a new table": (("create table brought (id int)", "insert into brought values (1)"), "public.brought"),
    "a table rewritten": (("alter table item alter v type varchar using 'z'",), "public.item"),
    "another subscription": (
        ("create subscription fed connection 'host=127.0.0.1 port=1 dbname=x' publication p with (connect = false)",),
        "subscriptions",
    ),
    "a large object": (("select lo_from_bytea(0, 'abc')",), "large objects"),
}
GONE = {
    "a new table": ("drop table brought",),
    "another subscription": ("alter subscription fed set (slot_name = none)", "drop subscription fed"),
}
"""What an evasion has made, and the ones after it would find."""
REFUSED = (
    "insert into item (v) values ('x')",
    "set session_replication_role = replica; insert into item (v) values ('x')",
    "update item set v = 'x'",
    "delete from item",
    "truncate item",
    "truncate part",
    "insert into part values (1, '2025-05-05')",
    "insert into part_1 values (1, '2025-05-05')",
    "delete from parent",
    "merge into item using (select 1 id) s on item.id = s.id when matched then update set v = 'x'",
    "copy item (v) from program 'echo x'",
    "with w as (insert into item (v) values ('x') returning 1) select * from w",
    "do $$ begin insert into item (v) values ('x'); end $$",
    "create table brought (id int)",
    "alter table item disable trigger rotator_fence",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_what_the_fence_refuses_needs_no_imprint(following: Pair, statement: str) -> None:
    before = following.forward.imprint()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        following.run(statement, on=following.green)
    assert following.forward.touched(before) == ()


def test_what_the_errors_tell_people_to_do_goes_past_the_fence_and_puts_it_back(following: Pair) -> None:
    channel = following.forward
    before = channel.imprint()
    for mend in (
        "update item set v = 'mended' where id = 5",
        "alter table item add more int",
        "alter table item drop more",
    ):
        following.run("; ".join(PAST_FENCE).format(table="item", mend=mend), on=following.green)
    assert following.rows("select v from item where id = 5", on=following.green) == [("mended",)]
    assert "public.item" in " ".join(channel.touched(before))
    for refused in ("delete from item", "create table other (id int)", "drop table part"):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            following.run(refused, on=following.green)
    following.run("update item set v = 'v5' where id = 5")


def test_what_goes_on_by_itself_leaves_it_as_it_is(following: Pair) -> None:
    channel = following.forward
    before = channel.imprint()
    following.run(
        "insert into item (v) select 'more' from generate_series(1, 500)",
        "update item set v = 'changed' where id < 20",
        "truncate part",
        "insert into part values (1, '2025-05-05')",
        "delete from parent where id = 1",
        "refresh materialized view total",
        "select nextval('item_id_seq')",
    )
    channel.catch_up(30.0)
    channel.verify(nothing)
    following.run("analyze", "vacuum", "vacuum (freeze) pg_catalog.pg_trigger", on=following.green)
    following.run("vacuum full pg_catalog.pg_trigger", "select nextval('item_id_seq')", on=following.green)
    channel.quarantine(10.0)
    channel.attach(None)
    channel.start()
    with pytest.raises(LookupError), channel.window(NOW, (), retain_back=True, imprint=before) as window:
        window.prepare(nothing, _stop)
    assert channel.touched(before) == ()
    for stop in (following.green.stop, following.green.kill):  # type: ignore[union-attr]
        stop()
        following.green = following.green.start()  # type: ignore[union-attr]
        assert following.forward.touched(before) == ()


def _stop() -> None:
    raise LookupError("given up before the pause")


@pytest.mark.parametrize("how", EVASIONS)
def test_whoever_writes_past_the_fence_is_found_and_the_flip_does_not_happen(following: Pair, how: str) -> None:
    statements, named = EVASIONS[how]
    before = following.forward.imprint()
    following.run(*OFF, *statements, *ON, on=following.green)
    found = following.forward.touched(before)
    assert any(named in line for line in found), found
    if "table" not in named:
        with (
            pytest.raises(DatabaseError) as caught,
            following.forward.window(NOW, (), retain_back=True, imprint=before) as window,
        ):
            window.prepare(nothing, nothing)
        assert caught.value.code == "target-touched"
    following.run(*OFF, *GONE.get(how, ()), *ON, on=following.green)
    following.run("insert into item (v) values ('blue goes on')")


def test_it_is_looked_at_again_inside_the_pause(following: Pair) -> None:
    before = following.forward.imprint()
    with following.forward.window(NOW, (), retain_back=True, imprint=before) as window:
        window.prepare(nothing, nothing)
        following.run(*OFF, *EVASIONS["trigger off and on"][0], *ON, on=following.green)
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "target-touched"
    assert any("public.item" in line for line in caught.value.details)
    following.run("insert into item (v) values ('blue takes writes')")


def test_a_failed_quarantine_leaves_shut_what_it_has_shut(following: Pair) -> None:
    assert following.green is not None
    with following.connect(following.green, autocommit=False) as held:
        held.execute("select pg_current_xact_id()")
        with pytest.raises(DatabaseError) as caught:
            following.forward.shut(0.3)
        assert caught.value.code == "fence-timeout"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            following.run("insert into item (v) values ('x')", on=following.green)


def test_blue_s_own_imprint_comes_out_of_the_window_for_the_way_back() -> None:
    with running_pair(*TABLES[:1], superuser=True) as pair:
        pair.open()
        pair.follow()
        passed = _flip(pair)
        pair.turn()
        pair.run("insert into item (v) values ('on green')", on=pair.green)
        pair.back.catch_up(30.0)
        assert pair.back.touched(passed.imprint) == ()
        pair.run(*OFF, *EVASIONS["trigger off and on"][0], *ON)
        assert any(f"{DATABASE}.public.item" in line for line in pair.back.touched(passed.imprint))


def _flip(pair: Pair) -> Any:
    with pair.forward.window(NOW, (), retain_back=True, imprint=pair.forward.imprint()) as window:
        window.prepare(nothing, nothing)
        return window.run()
