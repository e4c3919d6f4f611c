"""What every engine of database/engines.py must hold, on real servers. An engine that moves in adds its pair here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

import pytest
from replication_pair import Pair, running_pair
from server_contract import (
    ID,
    counters_are_raised_and_never_set_back,
    what_is_fenced_takes_no_writes_until_it_is_opened,
)

from rotator.database.channel import Channel
from rotator.database.engines import ENGINES, Engine, serving
from rotator.database.interface import DatabaseServer
from rotator.database.position import Position, read_position
from rotator.database.replication import Budgets
from rotator.database.seed import Bracket

pytestmark = pytest.mark.postgres

SCHEMA = (
    "create table item (id serial primary key, v text)",
    "create table loose (v text)",
    "insert into item (v) values ('one')",
)
HELD = (counters_are_raised_and_never_set_back, what_is_fenced_takes_no_writes_until_it_is_opened)


def postgres_pair() -> AbstractContextManager[Pair]:
    return running_pair(*SCHEMA)


BUDGETS = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)
ELSEWHERE = Position("elsewhere", "1")


PAIRS: Mapping[str, Callable[[], AbstractContextManager[Pair]]] = {"postgres": postgres_pair}


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


@pytest.fixture(scope="module")
def pair(engine: Engine) -> Iterator[Pair]:
    """Blue with one table that has a key, one that has none, one counter; no green yet."""
    with PAIRS[engine.name]() as found:
        yield found


@pytest.fixture
def server(engine: Engine, pair: Pair) -> DatabaseServer:
    return engine.server(pair.source)


@pytest.fixture
def channel(engine: Engine, pair: Pair) -> Channel:
    return engine.channel(ID, pair.source, pair.source, False, True)


def nothing(*_: object) -> None:
    """Progress that nobody looks at."""


def test_each_engine_has_a_pair_and_serves_what_it_says(engine: Engine) -> None:
    assert set(PAIRS) == {each.name for each in ENGINES}
    assert all(serving(name) is engine for name in engine.serves)
    assert serving("no-such-engine") is None


def test_it_says_its_version_and_its_contents(server: DatabaseServer) -> None:
    assert server.ping()[0].isdigit()
    assert {table.name for table in server.tables()} >= {"item", "loose"}
    assert any("item" in name for name in server.schema())


def test_equal_contents_have_equal_digests(server: DatabaseServer) -> None:
    item = next(table for table in server.tables() if table.name == "item")
    first, again = server.checksum(item, nothing), server.checksum(item, nothing)
    assert first == again
    assert first.rows == 1


@pytest.mark.parametrize("held", HELD, ids=lambda held: held.__name__)
def test_a_server_holds(held: Callable[[DatabaseServer], None], server: DatabaseServer) -> None:
    held(server)


def test_tables_whose_rows_cannot_be_told_apart_are_named(channel: Channel) -> None:
    assert [name for name in channel.weak_tables() if name.endswith("loose")]
    assert not [name for name in channel.weak_tables() if name.endswith("item")]


def test_a_channel_is_opened_kept_and_removed(engine: Engine, channel: Channel) -> None:
    assert channel.retention() == ()
    before = channel.weak_tables()
    opened = channel.open(strengthen=True, progress=nothing)
    assert opened.tables == 2
    kept = channel.retention()
    assert len(kept) == len(opened.databases)
    assert not any(each.lost for each in kept)
    positions = [channel.mark("one"), channel.mark("two"), channel.position()]
    compare(engine, channel, positions)
    assert channel.release()
    assert channel.retention() == ()
    channel.retain()
    assert len(channel.retention()) == len(opened.databases)
    channel.close(before)
    assert (channel.retention(), channel.weak_tables()) == ((), before)
    assert channel.close(before) == (), "again: nothing is left to do"


def compare(engine: Engine, channel: Channel, positions: list[Position]) -> None:
    """Later positions hold earlier ones, also after they have been in a journal."""
    for number, at in enumerate(positions):
        assert at.engine == engine.name
        assert read_position(str(at)) == at
        assert channel.covers(at, at)
        assert all(channel.covers(at, earlier) for earlier in positions[:number])
    assert not channel.covers(positions[0], positions[1])
    for asked in (lambda: channel.covers(ELSEWHERE, positions[0]), lambda: channel.attach(ELSEWHERE)):
        with pytest.raises(ValueError, match="means nothing"):
            asked()


def test_green_follows_takes_over_and_is_followed(engine: Engine, pair: Pair) -> None:
    """Last: it makes the pair's green, and turns the pair round."""
    forward = engine.channel(ID, pair.source, pair.source, False, True)
    forward.open(strengthen=True, progress=nothing)
    before = forward.mark("low")
    snapshot = pair.snapshot()
    pair.bracket = Bracket(before, forward.mark("high"))
    pair.restore(snapshot)
    forward = engine.channel(ID, pair.source, pair.target, False, True)
    back = engine.channel(ID, pair.target, pair.source, True, True)
    forward.quarantine(10.0)
    seed = forward.seed(pair.log(), pair.bracket)
    assert seed.position is not None, (seed.problem, seed.figures)
    assert forward.covers(seed.position, before)
    assert forward.covers(pair.bracket.high, seed.position)
    assert not forward.attached()
    forward.attach(seed.position)
    forward.start()
    source = engine.server(pair.source)
    pair.run("insert into item (v) values ('after the snapshot')")
    forward.catch_up(60.0)
    assert pair.rows("select count(*) from item where v = 'after the snapshot'", pair.green) == [(1,)]
    assert forward.attached()
    assert all(each.running for each in forward.workers())
    back.retain()
    compared = forward.verify(nothing)
    assert (compared.differences, compared.unsettled) == ((), ())
    with forward.window(BUDGETS, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        passed = window.run()
    assert source.fence_state().sealed
    assert not source.probe("on a source that is sealed")[1]
    pair.run("insert into item (v) values ('after the window')", on=pair.green)
    forward.detach()
    forward.release()
    back.attach(passed.back or None)
    back.start()
    back.catch_up(60.0)
    assert pair.rows("select count(*) from item where v = 'after the window'") == [(1,)]
