"""The window on two real servers: what it carries over, what it cuts off, and what becomes of one that is given up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from replication_pair import DATABASE, PASSWORD, Pair, running_pair

from rotator.database.postgres.connection import session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets, Passed
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

TABLES = (
    "create table item (id bigserial primary key, v text)",
    "create sequence ticket increment 5 cache 10",
    "create sequence unused",
    "create sequence tiny maxvalue 20",
    "insert into item (v) select 'v' || i from generate_series(1, 500) i",
    "select nextval('ticket'), nextval('tiny')",
)
NOW = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair(*TABLES) as made:
        made.open()
        made.follow()
        yield made


def flip(pair: Pair, budgets: Budgets = NOW) -> Passed:
    with pair.forward.window(budgets, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        return window.run()


def flip_back(pair: Pair) -> Passed:
    with pair.back.window(NOW, (), retain_back=False) as window:
        window.prepare(nothing, nothing)
        return window.run()


def takes_writes(pair: Pair, side: str) -> bool:
    try:
        pair.run("insert into item (v) values ('probe')", on=getattr(pair, side))
    except psycopg.errors.ReadOnlySqlTransaction:
        return False
    return True


def test_green_takes_over_with_everything_and_blue_is_shut(pair: Pair) -> None:
    pair.run("insert into item (v) values ('the last on blue')", "select nextval('ticket')")
    passed = flip(pair)
    assert set(passed.parts) == {"fence", "drain", "recheck", "sequences", "seal", "open"}
    assert pair.rows("select count(*) from item where v = 'the last on blue'", pair.green) == [(1,)]
    assert not takes_writes(pair, "blue")
    assert takes_writes(pair, "green")
    assert PostgresServer(pair.source).fence_state().on
    with pair.blue.admin(DATABASE) as admin, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        admin.execute("set session_replication_role = replica; update item set v = 'superuser'")


def test_sequences_go_on_behind_all_that_blue_may_have_given_out(pair: Pair) -> None:
    last = pair.rows("select last_value from ticket")[0][0]
    flip(pair)
    assert pair.rows("select nextval('ticket')", pair.green)[0][0] > last + 1000 * 5
    assert pair.rows("select nextval('unused')", pair.green) == [(1,)]
    assert 1 < pair.rows("select nextval('tiny')", pair.green)[0][0] < 10, "a quarter of what is left at most"
    highest = pair.rows("select max(id) from item", pair.blue)[0][0]
    assert pair.rows("select nextval('item_id_seq')", pair.green)[0][0] > highest


def test_after_the_flip_writes_flow_back_and_nothing_comes_twice(pair: Pair) -> None:
    pair.run("insert into item (v) values ('from blue')")
    flip(pair)
    pair.turn()
    pair.run("insert into item (v) values ('from green')", "update item set v = 'x' where id = 3", on=pair.green)
    pair.back.catch_up(30.0)
    assert pair.rows("select * from item order by id") == pair.rows("select * from item order by id", pair.green)
    assert not takes_writes(pair, "blue")


def test_truncate_is_applied_through_the_fence_and_refused_to_everybody_else(pair: Pair) -> None:
    pair.run("truncate item")
    pair.forward.catch_up(30.0)
    assert pair.rows("select count(*) from item", pair.green) == [(0,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        pair.run("truncate item", on=pair.green)


def test_the_way_back_is_the_same_window(pair: Pair) -> None:
    flip(pair)
    pair.turn()
    pair.run("insert into item (v) values ('only on green so far')", on=pair.green)
    flip_back(pair)
    assert pair.rows("select count(*) from item where v = 'only on green so far'") == [(1,)]
    assert takes_writes(pair, "blue")
    assert not takes_writes(pair, "green")


def test_a_lease_that_a_dead_driver_left_on_the_source_does_not_keep_the_next_window_from_draining(pair: Pair) -> None:
    flip(pair)
    pair.turn()
    pair.run("insert into item (v) values ('just before the fence')", on=pair.green)
    with session(pair.target, doing="test") as dead_driver:
        dead_driver.execute(fence_sql.leased_refusal("2100-01-01 00:00:00+00"))
        dead_driver.execute(fence_sql.leased_ddl_refusal("2100-01-01 00:00:00+00"))
    assert not PostgresServer(pair.target).fence_state().sealed
    flip_back(pair)
    assert pair.rows("select count(*) from item where v = 'just before the fence'") == [(1,)]
    assert takes_writes(pair, "blue")
    assert PostgresServer(pair.target).fence_state().sealed


def test_there_and_back_again_without_a_rollback_between(pair: Pair) -> None:
    """A window that was given up leaves everything ready for the next one."""
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
    assert takes_writes(pair, "blue")
    flip(pair)
    assert takes_writes(pair, "green")


def test_what_is_over_its_budget_is_given_up_and_blue_takes_writes(pair: Pair) -> None:
    (slot,) = pair.forward.retention()
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        with pair.connect(pair.green) as green:
            green.execute(f"alter subscription {slot.name} disable")  # type: ignore[call-overload]
        impatient = Budgets(calm=0.0, drain=0.3)
        object.__setattr__(window, "budgets", impatient)
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "window-drain"
    assert takes_writes(pair, "blue")
    assert not takes_writes(pair, "green")


def test_a_row_that_was_still_in_flux_is_compared_inside_the_fence(pair: Pair) -> None:
    unsettled = [
        {
            "database": DATABASE,
            "schema": "public",
            "table": "item",
            "key": ["id"],
            "low": None,
            "high": None,
        }
    ]
    with pair.green.admin(DATABASE) as admin:  # type: ignore[union-attr]
        admin.execute("set session_replication_role = replica")
        admin.execute("drop event trigger if exists rotator_fence_ddl")
        admin.execute("alter table item disable trigger user")
        admin.execute("update item set v = 'by hand' where id = 7")
        admin.execute("alter table item enable always trigger rotator_fence")
    with pair.forward.window(NOW, unsettled, retain_back=True) as window:
        window.prepare(nothing, nothing)
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "validate-contents"
    assert any("public.item" in line for line in caught.value.details)
    assert takes_writes(pair, "blue")


def test_ddl_at_the_last_moment_is_found(pair: Pair) -> None:
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        pair.run("alter table item add column late int")
        with pytest.raises(DatabaseError) as caught:
            window.run()
    assert caught.value.code == "validate-schema"
    assert takes_writes(pair, "blue")


def test_transactions_that_go_on_for_too_long_are_ended_and_named(pair: Pair) -> None:
    with pair.connect(application_name="batch", autocommit=False) as batch:
        batch.execute("insert into item (v) values ('never committed')")
        passed = flip(pair)
        assert any("batch" in line for line in passed.cut_off)
        assert not any("insert" in line or "never committed" in line for line in passed.cut_off)
        with pytest.raises(psycopg.OperationalError):
            batch.commit()
    assert pair.rows("select 1 from item where v = 'never committed'", pair.green) == []


def test_transactions_that_end_within_the_grace_are_carried_over(pair: Pair) -> None:
    began, done = threading.Event(), threading.Event()

    def short() -> None:
        with pair.connect(autocommit=False) as connection:
            connection.execute("insert into item (v) values ('just in time')")
            began.set()
            closed.wait(10)
            connection.commit()
        done.set()

    closed = threading.Event()
    thread = threading.Thread(target=short)
    thread.start()
    assert began.wait(10)
    with pair.forward.window(Budgets(calm=0.0, grace=5.0, overdue=5.0, fence=8.0), (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        threading.Timer(0.3, closed.set).start()
        passed = window.run()
    thread.join(10)
    assert done.is_set()
    assert passed.cut_off == ()
    assert pair.rows("select count(*) from item where v = 'just in time'", pair.green) == [(1,)]


def test_the_usual_long_transactions_are_not_waited_out(pair: Pair) -> None:
    """There is never a moment without one: after some seconds that is known, and waiting more would be chance."""
    ended = threading.Event()

    def long_ones(first: float) -> None:
        ended.wait(first)
        with pair.connect(autocommit=False) as connection:
            while not ended.wait(0.01):
                connection.execute("insert into item (v) values ('long')")
                ended.wait(1.5)
                connection.commit()

    threads = [threading.Thread(target=long_ones, args=(first,)) for first in (0.0, 0.7)]
    for thread in threads:
        thread.start()
    try:
        with pair.forward.window(replace(NOW, calm=120.0), (), retain_back=True) as window:
            began = time.monotonic()
            window.prepare(nothing, nothing)
            assert time.monotonic() - began < 60.0
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)


def test_a_long_transaction_that_ends_in_time_is_waited_for(pair: Pair) -> None:
    ended = threading.Event()

    def long_one() -> None:
        with pair.connect(autocommit=False) as connection:
            connection.execute("insert into item (v) values ('long')")
            began.set()
            ended.wait(30)
            connection.commit()

    began, thread = threading.Event(), threading.Thread(target=long_one)
    thread.start()
    assert began.wait(10)
    with pair.forward.window(replace(NOW, calm=120.0), (), retain_back=True) as window:
        threading.Timer(7.0, ended.set).start()
        window.prepare(nothing, nothing)
        assert ended.is_set()
        passed = window.run()
    thread.join(10)
    assert passed.cut_off == ()
    assert pair.rows("select count(*) from item where v = 'long'", pair.green) == [(1,)]


def test_a_transaction_that_is_overdue_is_not_waited_for(pair: Pair) -> None:
    """A younger one gets the grace: here it ends with it, long after the fence would have ended it."""
    budgets = Budgets(calm=0.0, grace=60.0, overdue=0.5, fence=90.0, drain=10.0, recheck=5.0, counters=5.0)
    age = "select 1 from pg_stat_activity where application_name = 'batch' and now() - xact_start > '0.6 s'"
    with pair.connect(application_name="batch", autocommit=False) as batch:
        batch.execute("insert into item (v) values ('never committed')")
        with pair.forward.window(budgets, (), retain_back=True) as window:
            window.prepare(nothing, nothing)
            while not pair.rows(age):
                threading.Event().wait(0.05)
            passed = window.run()
        assert any("batch" in line for line in passed.cut_off)
        assert passed.parts["fence"] < budgets.grace
        with pytest.raises(psycopg.OperationalError):
            batch.commit()


DRIVER = """
import sys, time
sys.path[:0] = {paths!r}
from rotator.database.interface import Target
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.postgres.window import window as module
from rotator.database.replication import Budgets
def target(address, port):
    return Target(address, port, {user!r}, {database!r}, address, {password!r}, *{tls!r})
channel = PostgresChannel({rotation!r}, target(*{blue!r}), target(*{green!r}), pinned=True)
def hang(*_):
    print("closed", flush=True)
    time.sleep(600)
module.sentinels.pass_through, real = module.sentinels.pass_through, module.sentinels.pass_through
budgets = Budgets(calm=0.0, fence=0.5, drain=0.5, recheck=0.5, counters=0.5)
with channel.window(budgets, (), retain_back=True) as window:
    window.prepare(lambda *_: None, lambda: None)
    module.sentinels.pass_through = hang
    window.run()
"""


def test_a_driver_that_dies_in_the_window_leaves_blue_open_within_the_lease(pair: Pair, tmp_path: Path) -> None:
    """kill -9 while blue is fenced: nobody's hand, and the fence opens by the server's own clock."""
    assert pair.green is not None
    script = tmp_path / "driver.py"
    script.write_text(
        DRIVER.format(
            paths=[str(Path(__file__).resolve().parents[2])],
            user=pair.source.user,
            database=DATABASE,
            password=PASSWORD,
            tls=(pair.source.sslmode, pair.source.sslrootcert),
            rotation="local-g1",
            blue=(pair.blue.address, pair.blue.port),
            green=(pair.green.address, pair.green.port),
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline().strip() == "closed"
        assert not takes_writes(pair, "blue")
        os.kill(driver.pid, signal.SIGKILL)
    died = time.monotonic()
    lease = Budgets(fence=0.5, drain=0.5, recheck=0.5, counters=0.5).lease
    while not takes_writes(pair, "blue"):
        assert time.monotonic() - died < lease + 2
        threading.Event().wait(0.1)
    assert not takes_writes(pair, "green")
    assert not PostgresServer(pair.source).fence_state().on
    flip(pair)  # and the next run goes through
    assert takes_writes(pair, "green")


def test_a_lease_that_ran_out_is_never_sealed(pair: Pair) -> None:
    """The driver stood still for longer than the lease: writes may have slipped in, so nothing flips."""
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        fence = window._fence  # type: ignore[attr-defined]
        fence.close(Budgets(calm=0.0, grace=0.1, fence=0.3, drain=-2.0, recheck=-2.0, counters=-0.5))
        object.__setattr__(window, "_begun", True)
        with pytest.raises(DatabaseError) as caught:
            fence.seal()
    assert caught.value.code == "window-lease"
    assert takes_writes(pair, "blue")
