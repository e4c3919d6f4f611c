"""Sequences through a window, and one server's sequences read and set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar, cast

import psycopg
import pytest
from replication_pair import Pair, running_pair

from rotator.database.postgres.catalog.sequence_look import Look
from rotator.database.postgres.connection import session
from rotator.database.postgres.server import PostgresServer
from rotator.database.postgres.window.positions import Sequences
from rotator.database.replication import Budgets
from rotator.domain.database import CounterState
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

NOW = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)
MADE = (
    "create sequence near_max maxvalue 1000",
    "create table small (id smallserial primary key)",
    "create sequence wide",
    "create table narrow (id int primary key default nextval('wide'))",
    "create sequence down increment -1 minvalue -1000",
    "create sequence turning maxvalue 1000 cycle",
    "create sequence set_to",
    "create sequence busy",
    "create sequence late",
    "create sequence unused",
    "select setval('near_max', 990), setval('small_id_seq', 32760), setval('wide', 2147483640), setval('down', -990)",
    "select setval('turning', 998), setval('set_to', 500000), nextval('busy')",
)


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def flipped() -> Iterator[tuple[Pair, tuple[str, ...]]]:
    """Numbers are drawn after the snapshot, after `prepare`, and sequences are set back."""
    with running_pair(*MADE) as pair:
        pair.open()
        pair.follow()
        pair.run("select nextval('near_max'), nextval('down'), setval('set_to', 10)")
        pair.run("select nextval('turning') from generate_series(1, 4)", "select setval('late', 40, false)")
        with pair.forward.window(NOW, (), retain_back=True) as window:
            window.prepare(nothing, nothing)
            pair.run("select nextval('busy') from generate_series(1, 5000)", "select setval('late', 70, false)")
            passed = window.run()
        yield pair, passed.set_back


def drawn(flipped: tuple[Pair, tuple[str, ...]], name: str) -> int:
    return int(flipped[0].rows(f"select nextval('{name}')", flipped[0].green)[0][0])


def test_bounded_ones_have_numbers_left(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    assert 991 < drawn(flipped, "near_max") <= 994
    assert -991 > drawn(flipped, "down") >= -994
    pair = flipped[0]
    assert pair.rows("insert into small default values returning id", pair.green) == [(32762,)]


def test_a_column_of_a_smaller_type_is_a_bound_too(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    pair = flipped[0]
    assert pair.rows("insert into narrow default values returning id", pair.green) == [(2147483642,)]


def test_one_that_was_set_back_is_followed_and_told(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    assert flipped[1] == ("shop.public.set_to (to 10)",)
    assert drawn(flipped, "set_to") == 1011


def test_one_that_begins_again_is_followed(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    assert 2 < drawn(flipped, "turning") < 300


def test_what_was_drawn_in_the_last_moment_is_not_drawn_again(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    assert drawn(flipped, "busy") > 5001
    assert drawn(flipped, "late") == 70
    assert drawn(flipped, "unused") == 1


def test_too_little_left_is_named_before(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    found = PostgresServer(flipped[0].source).preflight_replicate("local-g1", strengthen=False)
    (few,) = [finding for finding in found if finding.code == "sequence-end"]
    assert not few.blocks
    for name in ("near_max", "small_id_seq", "wide", "down"):
        assert f"public.{name} (" in few.what
    assert "turning" not in few.what


def test_all_are_read_and_set_in_batches(flipped: tuple[Pair, tuple[str, ...]]) -> None:
    pair = flipped[0]
    pair.run(*(f"create sequence many_{n:03}" for n in range(250)), "select nextval('many_007'), setval('many_009', 8)")
    with session(pair.source, doing="look") as connection:
        look = Look(connection)
        for _ in range(2):
            found = look.read()
            assert found["public", "many_007"] == CounterState(1, True)
            assert found["public", "many_008"] == CounterState(1, False)
            assert found["public", "many_009"] == CounterState(8, True)
        many = {key: CounterState(900, False) for key in found if key[1].startswith("many")}
        look.set(many)
        assert many.items() <= look.read().items()


WAITS = """
select l.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid
 where not l.granted and a.application_name = 'rotator' and clock_timestamp() - a.query_start > interval '1 s'
"""


def test_what_is_read_before_the_pause_may_take_longer_than_its_budget_inside_it() -> None:
    with running_pair("create table item (id bigserial primary key)", superuser=True) as pair:
        pair.open()
        pair.follow()
        waited, deadline = [], time.monotonic() + 30.0

        def until_somebody_has_waited(holder: psycopg.Connection[Any]) -> None:
            while not waited and time.monotonic() < deadline:
                waited.extend(pair.rows(WAITS))
            holder.rollback()

        with pair.connect(autocommit=False) as holder, ThreadPoolExecutor(1) as pool:

            def check() -> None:
                holder.execute("lock table pg_sequence")  # the first look at the sequences waits for this
                pool.submit(until_somebody_has_waited, holder)

            with pair.forward.window(replace(NOW, counters=0.5), (), retain_back=True) as window:
                window.prepare(nothing, check)
                assert waited
                window.run()


class Slow:
    """A look whose reading the server ends."""

    limits: ClassVar[dict[object, object]] = {}

    def read(self) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")


def test_a_look_that_the_server_ends_names_the_setting_before_the_pause_as_in_it() -> None:
    looked = Sequences({"shop": cast(Look, Slow())}, {}, 1000)
    with ThreadPoolExecutor(1) as pool:
        for read in (looked.refresh, lambda: looked.follow_in_time(pool.submit(looked.look), 5.0)):
            with pytest.raises(DatabaseError) as caught:
                read()
            assert caught.value.code == "window-sequences"
            assert "[cutover] sequences" in caught.value.fix
