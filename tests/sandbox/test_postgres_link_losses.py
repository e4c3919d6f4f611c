"""Lost connections heal by themselves, on two real servers: nobody of ours is there in the soak."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from replication_pair import ROTATION, Pair, running_pair
from silent_proxy import SilentProxy

from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

TABLES = (
    "create table item (id bigserial primary key, v text)",
    "insert into item (v) select 'v' || i from generate_series(1, 200) i",
)
HEALED = 30.0
CUT_SECONDS = 60.0


def nothing(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture
def following() -> Iterator[Pair]:
    with running_pair(*TABLES, superuser=True, wal_retrieve_retry_interval="200ms") as pair:
        pair.open()
        pair.follow()
        yield pair


def flip(pair: Pair) -> None:
    with pair.forward.window(Budgets(calm=0.0), (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        window.run()
    pair.turn()
    pair.back.catch_up(HEALED)


def end_senders(pair: Pair) -> None:
    for cluster in (pair.blue, pair.green):
        pair.rows("select pg_terminate_backend(pid) from pg_stat_replication", cluster)


def restart(pair: Pair, side: str, *, crash: bool = False) -> None:
    cluster = getattr(pair, side)
    (cluster.kill if crash else cluster.stop)()
    setattr(pair, side, cluster.start())


def past_the_fence(pair: Pair, statement: str) -> None:
    """On green, as somebody who means it."""
    events = ("rotator_fence_ddl", "rotator_fence_drop")
    pair.run(
        *(f"alter event trigger {name} disable" for name in events),
        "alter table item disable trigger rotator_fence",
        statement,
        "alter table item enable always trigger rotator_fence",
        *(f"alter event trigger {name} enable always" for name in events),
        on=pair.green,
    )


def carried(pair: Pair, channel: PostgresChannel, text: str) -> None:
    """What is written now on the source arrives, and nobody has switched anything on for it."""
    source, target = (pair.blue, pair.green) if channel is pair.forward or not channel.back else (pair.green, pair.blue)
    pair.run(f"insert into item (v) values ('{text}')", on=source)
    channel.catch_up(HEALED)
    assert pair.rows(f"select count(*) from item where v = '{text}'", target) == [(1,)]
    assert channel.attached()


def test_ended_senders_and_a_restarted_source_are_no_reason_to_stop(following: Pair) -> None:
    end_senders(following)
    carried(following, following.forward, "after the sender")
    restart(following, "blue", crash=True)
    carried(following, following.forward, "after the crash")
    flip(following)
    end_senders(following)
    carried(following, following.back, "in the soak")
    assert not following.back.apply_errors(
        (following.blue.folder / "server.log").read_text(errors="replace").splitlines()
    )


def test_a_change_that_cannot_be_applied_is_told_apart_and_goes_on_once_mended(following: Pair) -> None:
    past_the_fence(following, "insert into item (id, v) values (999, 'in the way')")
    following.run("insert into item (id, v) values (999, 'from blue')")
    with pytest.raises(DatabaseError):
        following.forward.catch_up(3.0)
    assert following.forward.apply_errors(following.log())
    assert any("999" in line for line in following.forward.apply_keys(following.log()))
    assert not following.forward.connection_errors(following.log())
    following.forward.stop()
    assert [(worker.there, worker.enabled) for worker in following.forward.workers()] == [(True, False)]
    past_the_fence(following, "delete from item where id = 999")
    assert following.forward.resume()
    carried(following, following.forward, "mended")


def test_what_an_older_version_made_no_longer_stops_at_a_lost_connection(following: Pair) -> None:
    (name,) = following.rows("select subname from pg_subscription", following.green)[0]
    version = following.rows("show server_version_num", following.green)[0][0]
    if int(version) < 150000:
        pytest.skip("there is no disable_on_error before version 15")
    following.run(f'alter subscription "{name}" set (disable_on_error = true)', on=following.green)
    deadline = time.monotonic() + HEALED
    while following.forward.attached():  # a worker that begins anew for the change has no sender for a moment
        end_senders(following)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert following.forward.resume() == (f"subscription {name} switched on again",)
    end_senders(following)
    carried(following, following.forward, "after two losses")


@pytest.mark.matrix
@pytest.mark.parametrize("crash", [False, True])
def test_every_restart_of_either_side_heals_in_catch_up_and_in_the_soak(following: Pair, crash: bool) -> None:
    for side in ("blue", "green"):
        restart(following, side, crash=crash)
        carried(following, following.forward, f"{side} in catch-up")
    flip(following)
    for side in ("blue", "green"):
        restart(following, side, crash=crash)
        carried(following, following.back, f"{side} in the soak")


@pytest.mark.matrix
@pytest.mark.parametrize("soak", [False, True])
def test_a_network_that_is_silent_for_a_minute_heals_by_itself(following: Pair, soak: bool) -> None:
    if soak:
        flip(following)
    channel = following.back if soak else following.forward
    channel.detach()
    proxy = SilentProxy("127.0.0.1", str(channel.source.address), channel.source.port)
    try:
        through = replace(channel.source, address="127.0.0.1", port=proxy.port)  # the certificate has blue's own
        PostgresChannel(ROTATION, through, channel.target, channel.back, pinned=True).attach(None)
        channel.start()
        carried(following, channel, "before the cut")
        proxy.cut()
        following.run("insert into item (v) values ('while it is cut')", on=following.green if soak else following.blue)
        time.sleep(CUT_SECONDS)
        proxy.mend()
        deadline = time.monotonic() + 150.0
        while True:
            try:
                carried(following, channel, f"after the cut {deadline - time.monotonic():.0f}")
                break
            except DatabaseError:
                assert time.monotonic() < deadline
    finally:
        channel.detach()
        proxy.close()
