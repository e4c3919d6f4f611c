"""Two real servers, green follows blue by logical replication; what differs is put there by hand on green."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from pg_fixture import PgServer, running_server
from pg_writers import reached
from psycopg import sql
from test_postgres_checksum import EXTRA, PAIRS

from rotator.database.compare import LIMIT
from rotator.database.postgres.catalog.objects import stored_tables
from rotator.database.postgres.compare.chunks import Chunk, OnlineReport
from rotator.database.postgres.compare.reader import SETTINGS, Reader, reader, shapes_of
from rotator.database.postgres.compare.recheck import recheck
from rotator.database.postgres.compare.verify import verify_again, verify_online
from rotator.database.postgres.connection import session
from rotator.domain.database import Table
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

SCHEMA = (
    "create schema rotator",
    "create table rotator.beat (n bigint primary key)",
    "create table item (id bigint primary key, v text, n int)",
    "create table pair (a int, b text, v numeric, primary key (a, b))",
    "create table word (k text primary key, at timestamptz)",
    "create table tagged (id uuid primary key, v bytea)",
    "create table loose (a int, b text)",
    "alter table loose replica identity full",
    "create table parted (id int primary key, v text) partition by range (id)",
    "create table low_part partition of parted for values from (0) to (1000)",
    "create table high_part partition of parted for values from (1000) to (1000000)",
    """create table "Odd Name" ("Key ""K"" 1" int primary key, "select" text)""",
    "create table shaped (id int primary key, j json, p point)",
    "create table nothing (id int primary key, v text)",
    "create table coded (code varchar(20) not null unique, v text)",
    "alter table coded replica identity using index coded_code_key",
)
ROWS = (
    "insert into item select i, 'v' || i, 0 from generate_series(1, 20000) i",
    "insert into pair select i / 10, 'b' || i % 10, i from generate_series(10, 5009) i",
    "insert into word select 'k' || i, timestamptz '2024-01-01' + i * interval '1h' from generate_series(1, 3000) i",
    "insert into tagged select md5(i::text)::uuid, decode(md5(i::text), 'hex') from generate_series(1, 3000) i",
    "insert into loose select i, 'b' || i from generate_series(1, 300) i",
    "insert into parted select i, 'v' || i from generate_series(1, 1999) i",
    """insert into "Odd Name" select i, 'v' || i from generate_series(1, 700) i""",
    """insert into shaped select i, '{"a": 1}', point(i, 0) from generate_series(1, 700) i""",
    "insert into coded select 'c' || i, 'v' || i from generate_series(1, 700) i",
)


@dataclass
class Channel:
    """A database on both servers; `beats` is the sentinel that was written last."""

    blue: PgServer
    green: PgServer
    name: str
    beats: int = 0

    def caught_up(self) -> None:
        self.beats += 1
        with self.blue.connect(self.name, autocommit=True) as connection:
            connection.execute("insert into rotator.beat values (%s)", [self.beats])
        with self.green.connect(self.name, autocommit=True) as connection:
            query = "select exists (select from rotator.beat where n = %s)"
            assert reached(lambda: bool(connection.execute(query, [self.beats]).fetchone()[0]), 30)  # type: ignore[index]

    def tables(self) -> tuple[Table, ...]:
        with session(self.blue.target(self.name), doing="list") as connection:
            return stored_tables(self.name, connection)

    def verify(self, tables: Sequence[Table] | None = None) -> OnlineReport:
        return verify_online(
            self.blue.target(self.name),
            self.green.target(self.name),
            self.tables() if tables is None else tables,
            self.caught_up,
            lambda fraction, text: None,
            chunk_rows=2_000,
        )

    def table(self, name: str) -> Table:
        return Table(self.name, "public", name)

    def rechecked(self, unsettled: Sequence[Chunk], seconds: float = 20) -> tuple[str, ...]:
        with self.sessions() as (blue, green):
            found = recheck({self.name: blue}, {self.name: green}, unsettled, time.monotonic() + seconds)
        return tuple(sorted(each.by_key for each in found))

    @contextmanager
    def sessions(self) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
        with ExitStack() as opened:
            blue, green = (
                opened.enter_context(session(server.target(self.name), doing="recheck"))
                for server in (self.blue, self.green)
            )
            yield blue, green


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PgServer, PgServer]]:
    more = {
        "wal_retrieve_retry_interval": "100ms",
        "max_logical_replication_workers": "12",
        "max_worker_processes": "20",
    }
    with running_server(max_connections="50") as blue, running_server(**more) as green:
        yield blue, green


@pytest.fixture(scope="module")
def channel(servers: tuple[PgServer, PgServer]) -> Iterator[Channel]:
    blue, green = servers
    with blue.database(*SCHEMA, *ROWS) as name:
        green.run("postgres", f'create database "{name}"')
        green.run(name, *SCHEMA)
        blue.run(name, "create publication all_of_it for all tables", "vacuum analyze")
        conninfo = f"host={blue.host} port={blue.port} user=postgres password={blue.password} dbname={name}"
        green.run(name, f"create subscription follow connection '{conninfo}' publication all_of_it")
        ready = "select count(*) filter (where srsubstate <> 'r') = 0 and count(*) > 10 from pg_subscription_rel"
        assert reached(lambda: bool(green.rows(name, ready)[0][0]), 60)
        try:
            yield Channel(blue, green, name)
        finally:
            green.run(name, "drop subscription follow")
            green.run("postgres", f'drop database "{name}" with (force)')


# --- writers ---------------------------------------------------------------------------------------------------------

NEW = iter(range(1_000_000, 10_000_000))
"""Numbers of new rows, never given twice."""


def spread(connection: psycopg.Connection, dice: random.Random) -> None:
    connection.execute("update item set n = n + 1 where id = %s", [dice.randint(1000, 20000)])
    connection.execute(
        "update pair set v = v + 1 where (a, b) = (%s, %s)", [dice.randint(50, 500), f"b{dice.randint(0, 9)}"]
    )
    connection.execute("update word set at = now() where k = %s", [f"k{dice.randint(100, 3000)}"])


def growing(connection: psycopg.Connection, dice: random.Random) -> None:
    new = next(NEW)
    connection.execute("insert into item values (%s, 'new', 0)", [new])
    connection.execute("insert into tagged values (gen_random_uuid(), 'x')")
    connection.execute("insert into high_part values (%s, 'new')", [new - 990_000])
    connection.execute("delete from item where id = %s", [dice.randint(1000, 20000)])


def toggling(connection: psycopg.Connection, dice: random.Random) -> None:
    """The same few rows, back and forth between the same values; a queue that is mostly empty."""
    connection.execute("update item set n = 1 - n where id = 500")
    connection.execute("insert into word values ('queue', null)")
    connection.execute("delete from word where k = 'queue'")
    connection.execute(
        """update "Odd Name" set "select" = case "select" when 'a' then 'b' else 'a' end where "Key ""K"" 1" = 500"""
    )


def keyless(connection: psycopg.Connection, dice: random.Random) -> None:
    connection.execute("update loose set b = %s where a = %s", [f"b{dice.random()}", dice.randint(100, 300)])


@contextmanager
def load(channel: Channel) -> Iterator[list[int]]:
    """Four clients that write all the time; how often each has."""
    stop, counts, broken = threading.Event(), [0] * 4, []

    def client(number: int) -> None:
        dice = random.Random(number)
        try:
            with channel.blue.connect(channel.name, autocommit=True) as connection:
                while not stop.is_set():
                    (spread, growing, toggling, keyless)[number](connection, dice)
                    counts[number] += 1
                    stop.wait(0.01)  # a pace that green's one apply worker can follow
        except psycopg.Error as error:
            broken.append(error)

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert reached(lambda: broken or min(counts) > 20)
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert broken == []


# --- equal -----------------------------------------------------------------------------------------------------------


def test_quiet_servers_are_equal_and_the_digest_is_of_all_rows(channel: Channel) -> None:
    channel.caught_up()
    seen: list[float] = []
    report = verify_online(
        channel.blue.target(channel.name),
        channel.green.target(channel.name),
        channel.tables(),
        channel.caught_up,
        lambda fraction, text: seen.append(fraction),
        chunk_rows=2_000,
    )
    assert (report.differences, report.unsettled) == ((), ())
    assert set(report.tables) == {str(table) for table in channel.tables()}
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    empty = report.tables[f"{channel.name}.public.nothing"]
    assert (empty.rows, empty.digest, empty.chunks) == (0, "online-1:0", 1)
    assert report.tables[f"{channel.name}.public.item"].chunks >= 10
    for server in (channel.blue, channel.green):
        for table in channel.tables():
            with reader(server.target(channel.name), channel.name, [(table.schema, table.name)]) as side:
                whole = side.content(Chunk(table.database, table.schema, table.name))
            found = report.tables[str(table)]
            assert (found.rows, found.digest) == (whole.rows, f"online-1:{whole.total}")


def test_under_load_nothing_differs_and_little_is_hot(channel: Channel) -> None:
    with load(channel) as counts:
        before = sum(counts)
        report = channel.verify()
        assert sum(counts) > before
        assert report.differences == ()
        assert sum(table.retried for table in report.tables.values()) > 0, "the load did not reach any chunk in flux"
    keyed = [chunk for chunk in report.unsettled if chunk.table != "loose"]
    assert {chunk.table for chunk in keyed} <= {"item", "word", "Odd Name"}, "only these have rows in constant flux"
    assert len(keyed) <= 6
    assert all(chunk.low is not None and chunk.high is not None for chunk in keyed)
    channel.caught_up()
    assert channel.rechecked(report.unsettled) == ()
    again = verify_again(
        channel.blue.target(channel.name),
        channel.green.target(channel.name),
        report.unsettled,
        channel.caught_up,
        lambda *_: None,
    )
    assert (again.differences, again.unsettled) == ((), ())


# --- different -------------------------------------------------------------------------------------------------------

CHANGES = [
    (
        "item",
        "update item set v = 'x' where id = 700",
        "update item set v = 'v700' where id = 700",
        "id = 700: differs",
    ),
    ("item", "delete from item where id = 701", "insert into item values (701, 'v701', 0)", "id = 701: only on blue"),
    ("item", "insert into item values (-5, 'x', 0)", "delete from item where id = -5", "id = -5: only on green"),
    (
        "item",
        "insert into item values (9000000000, 'x', 0)",
        "delete from item where id = 9000000000",
        "id = 9000000000: only on green",
    ),
    (
        "pair",
        "update pair set v = v + 0.00 where (a, b) = (2, 'b3')",
        "update pair set v = 23 where (a, b) = (2, 'b3')",
        "(a, b) = (2, b3): differs",
    ),
    (
        "pair",
        "delete from pair where (a, b) = (3, 'b0')",
        "insert into pair values (3, 'b0', 30)",
        "(a, b) = (3, b0): only on blue",
    ),
    (
        "pair",
        "insert into pair values (3, 'b5x', 1)",
        "delete from pair where b = 'b5x'",
        "(a, b) = (3, b5x): only on green",
    ),
    ("word", "insert into word values ('', now())", "delete from word where k = ''", "k = : only on green"),
    ("word", "insert into word values ('zz', now())", "delete from word where k = 'zz'", "k = zz: only on green"),
    (
        "tagged",
        "update tagged set v = v || 'x' where id = md5('5')::uuid",
        "update tagged set v = decode(md5('5'), 'hex') where id = md5('5')::uuid",
        "id = e4da3b7f-bbce-2345-d777-2b0674a318d5: differs",
    ),
    (
        "low_part",
        "update parted set v = null where id = 12",
        "update parted set v = 'v12' where id = 12",
        "id = 12: differs",
    ),
    (
        "high_part",
        "delete from parted where id = 1999",
        "insert into parted values (1999, 'v1999')",
        "id = 1999: only on blue",
    ),
    (
        "Odd Name",
        """update "Odd Name" set "select" = '' where "Key ""K"" 1" = 3""",
        """update "Odd Name" set "select" = 'v3' where "Key ""K"" 1" = 3""",
        'Key "K" 1 = 3: differs',
    ),
    (
        "shaped",
        """update shaped set j = '{"a":1}' where id = 8""",
        """update shaped set j = '{"a": 1}' where id = 8""",
        "id = 8: differs",
    ),
    (
        "shaped",
        "update shaped set p = '(9,-0)' where id = 9",
        "update shaped set p = '(9,0)' where id = 9",
        "id = 9: differs",
    ),
    (
        "coded",
        "delete from coded where code = 'c1'",
        "insert into coded values ('c1', 'v1')",
        "code = c1: only on blue",
    ),
    ("nothing", "insert into nothing values (1, '')", "delete from nothing", "id = 1: only on green"),
]


@pytest.mark.parametrize(("table", "change", "back", "words"), CHANGES, ids=[f"{c[0]} {c[3]}" for c in CHANGES])
def test_one_row_is_found(channel: Channel, table: str, change: str, back: str, words: str) -> None:
    channel.green.run(channel.name, change)
    try:
        report = channel.verify([channel.table(table)])
        assert report.by_key == (f"table {channel.table(table)}: row with {words}",)
        assert report.unsettled == ()
    finally:
        channel.green.run(channel.name, back)
    assert channel.verify([channel.table(table)]).differences == ()


@pytest.mark.parametrize(
    ("change", "back", "words"),
    [
        ("update loose set b = '' where a = 1", "update loose set b = 'b1' where a = 1", "300 rows on both sides"),
        (
            "insert into loose values (1, 'b1')",
            "delete from loose where ctid in (select max(ctid) from loose where a = 1)",
            "blue has 300 rows, green 301",
        ),
    ],
)
def test_a_table_without_a_key_differs_as_a_whole(channel: Channel, change: str, back: str, words: str) -> None:
    channel.green.run(channel.name, change)
    try:
        report = channel.verify([channel.table("loose")])
        name = f"{channel.name}.public.loose"
        assert report.differences == (f"table {name}: the contents differ ({words}; it has no key to name rows by)",)
    finally:
        channel.green.run(channel.name, back)


def test_all_are_found_while_writers_are_at_work(channel: Channel) -> None:
    channel.green.run(channel.name, *(change for _, change, _, _ in CHANGES))
    try:
        with load(channel):
            report = channel.verify()
    finally:
        channel.green.run(channel.name, *(back for _, _, back, _ in CHANGES))
    assert set(report.by_key) == {f"table {channel.table(c[0])}: row with {c[3]}" for c in CHANGES}
    channel.caught_up()
    assert channel.rechecked(report.unsettled) == ()


@pytest.mark.parametrize(
    ("change", "back", "words"),
    [
        (
            "delete from item where id <= 950",
            "insert into item select i, 'v' || i, 0 from generate_series(1, 950) i",
            "only on blue",
        ),
        (
            "insert into item select 8000000000 + i from generate_series(1, 30000) i",
            "delete from item where id > 8000000000",
            "only on green",
        ),
    ],
)
def test_many_differences_are_capped(channel: Channel, change: str, back: str, words: str) -> None:
    channel.green.run(channel.name, change)
    try:
        with load(channel):
            report = channel.verify([channel.table("item")])
        assert len(report.by_key) == LIMIT + 1
        assert all(line.endswith(words) for line in report.by_key[:LIMIT])
    finally:
        channel.green.run(channel.name, back)


def test_what_green_has_not_applied_yet_is_no_difference_but_what_it_never_gets_is(channel: Channel) -> None:
    channel.green.run(channel.name, "alter subscription follow disable")
    try:
        channel.blue.run(channel.name, "update item set v = 'late' where id = 800")
        report = verify_online(
            channel.blue.target(channel.name),
            channel.green.target(channel.name),
            [channel.table("item")],
            lambda: None,  # a lie: green does not follow
            lambda *_: None,
        )
        assert report.by_key == (f"table {channel.name}.public.item: row with id = 800: differs",)
    finally:
        channel.green.run(channel.name, "alter subscription follow enable")
    assert channel.verify([channel.table("item")]).differences == ()


def test_green_is_read_after_it_has_caught_up_with_what_was_read_on_blue(channel: Channel) -> None:
    """Green is kept from applying until the comparison waits for it: not a single range may be unequal."""
    with channel.green.connect(channel.name) as holder:
        holder.execute("lock table item in share mode")
        channel.blue.run(channel.name, "update item set n = n + 1 where id between 600 and 999")

        def caught_up() -> None:
            holder.rollback()
            channel.caught_up()

        sides = channel.blue.target(channel.name), channel.green.target(channel.name)
        report = verify_online(*sides, [channel.table("item")], caught_up, lambda *_: None, chunk_rows=2_000)
    assert report.differences == ()
    assert report.tables[f"{channel.name}.public.item"].retried == 0


def test_a_failing_wait_ends_the_comparison(channel: Channel) -> None:
    def fail() -> None:
        raise DatabaseError("green does not follow")

    with pytest.raises(DatabaseError, match="does not follow"):
        verify_online(
            channel.blue.target(channel.name),
            channel.green.target(channel.name),
            channel.tables(),
            fail,
            lambda *_: None,
        )


# --- inside the fence ------------------------------------------------------------------------------------------------


def chunks(channel: Channel) -> list[Chunk]:
    return [
        Chunk(channel.name, "public", "item", ("id",), ("600",), ("750",)),
        Chunk(channel.name, "public", "item", ("id",), ("750",), ("760",)),
        Chunk(channel.name, "public", "item", ("id",), ("19990",), None),
        Chunk(channel.name, "public", "pair", ("a", "b"), ("2", "b1"), ("3", "b5")),
        Chunk(channel.name, "public", "loose"),
    ]


def test_recheck_compares_what_was_hot(channel: Channel) -> None:
    channel.caught_up()
    assert channel.rechecked(chunks(channel)) == ()
    channel.green.run(
        channel.name, "update item set v = 'x' where id = 755", "delete from pair where (a, b) = (2, 'b3')"
    )
    try:
        assert channel.rechecked(chunks(channel)) == (
            f"table {channel.name}.public.item: rows with id above 600 up to 760: the contents differ "
            "(160 rows on both sides)",
            f"table {channel.name}.public.pair: rows with (a, b) above (2, b1) up to (3, b5): the contents differ "
            "(blue 14 rows, green 13)",
        )
    finally:
        channel.green.run(
            channel.name, "update item set v = 'v755' where id = 755", "insert into pair values (2, 'b3', 23)"
        )
    assert channel.rechecked([]) == ()


def test_recheck_ends_at_its_deadline_and_leaves_the_connections_usable(channel: Channel) -> None:
    with channel.sessions() as (blue, green), channel.green.connect(channel.name) as holder:
        holder.execute(
            "set idle_in_transaction_session_timeout = '10s'"
        )  # a recheck without an end must fail, not hang
        holder.execute("lock table pair in access exclusive mode")
        began = time.monotonic()
        with pytest.raises(DatabaseError) as late:
            recheck({channel.name: blue}, {channel.name: green}, chunks(channel), began + 0.3)
        assert 0.3 <= time.monotonic() - began < 5
        assert late.value.code == "recheck-timeout"
        holder.rollback()
        assert recheck({channel.name: blue}, {channel.name: green}, chunks(channel), time.monotonic() + 20) == ()
        assert green.execute("show statement_timeout").fetchone() == ("0",)
        with pytest.raises(DatabaseError) as late:
            recheck({channel.name: blue}, {channel.name: green}, chunks(channel), time.monotonic() - 1)
        assert late.value.code == "recheck-timeout"


# --- how it reads ----------------------------------------------------------------------------------------------------


class Explaining(Reader):
    """Keeps the plan of all that it reads."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.plans: list[str] = []

    def _rows(self, chunk: Chunk, query: sql.Composed, width: int) -> list[tuple[Any, ...]]:
        self.plans.append("\n".join(row[0] for row in self._connection.execute(sql.SQL("explain ") + query)))
        return super()._rows(chunk, query, width)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ("item", ("100",), ("200",)),
        ("pair", ("2", "b1"), ("400", "b1")),
        ("word", ("k1",), ("k3",)),
        ("tagged", ("10000000-0000-0000-0000-000000000000",), ("f0000000-0000-0000-0000-000000000000",)),
        ("Odd Name", ("1",), ("600",)),
        ("coded", ("c1",), ("c6",)),
    ],
)
def test_ranges_and_boundaries_are_read_by_the_index_of_the_key(
    channel: Channel, table: str, low: tuple[str, ...], high: tuple[str, ...]
) -> None:
    with session(channel.blue.target(channel.name), doing="explain") as connection:
        connection.execute(SETTINGS)
        shape = shapes_of(connection, [("public", table)])["public", table]
        chunk = Chunk(channel.name, "public", table, tuple(column.name for column in shape.key), low, high)
        side = Explaining(channel.blue.target(channel.name), connection, {chunk.name: shape})
        side.content(chunk)
        side.boundary(chunk, 5)
        side.first(chunk, 5)
        side.listed(chunk, 5)
        plans = side.plans
    assert len(plans) == (4 if shape.has_max else 5)
    for plan in plans:
        assert "Index Cond" in plan
        assert "Seq Scan" not in plan
        assert "Filter" not in plan
    assert all("Sort" not in plan for plan in plans)


def test_an_index_in_another_order_is_no_key(channel: Channel) -> None:
    with channel.blue.database(
        "create table a (x int not null, y text not null)",
        "create unique index a_desc on a (x desc)",
        "alter table a replica identity using index a_desc",
        "create table b (x text not null, y int)",
        'create unique index b_c on b (x collate "POSIX")',
        "alter table b replica identity using index b_c",
        "create table c (x int not null, y int not null, z int, primary key (y, x) include (z))",
        "create unique index c_x on c (x)",
        "alter table c replica identity using index c_x",
        "create table d (x int)",
    ) as name:
        names = [("public", table) for table in "abcd"]
        with session(channel.blue.target(name), doing="look") as connection:
            shapes = shapes_of(connection, names)
    assert [[column.name for column in shapes[each].key] for each in names] == [[], [], ["y", "x"], []]


@pytest.mark.parametrize(("kind", "one", "other"), PAIRS, ids=[f"{p[0]} {p[1]} {p[2]}" for p in PAIRS])
def test_the_digest_tells_one_changed_value(
    pairs: str, servers: tuple[PgServer, PgServer], kind: str, one: str, other: str
) -> None:
    blue = servers[0]
    blue.run(
        pairs,
        *EXTRA.get(kind, ()),
        "drop table if exists a, b, c",
        *(f"create table {table} (id int, v {kind}, w {kind})" for table in "abc"),
        f"insert into a values (1, {one}, {one}), (2, {one}, {other})",
        f"insert into b values (1, {one}, {other}), (2, {one}, {other})",
        f"insert into c values (1, {one}, {other}), (2, {one}, {one})",
    )
    names = [("public", table) for table in "abc"]
    with reader(blue.target(pairs), pairs, names) as side:
        found = [side.content(Chunk(pairs, *name)) for name in names]
    assert [content.rows for content in found] == [2, 2, 2]
    assert len({content.total for content in found}) == 3, "b has one value changed, c has two swapped between rows"


@pytest.fixture(scope="module")
def pairs(servers: tuple[PgServer, PgServer]) -> Iterator[str]:
    with servers[0].database(
        "create type mood as enum ('glad', 'sad')",
        "create type pair as (x numeric, y text)",
        "create domain price as numeric",
    ) as name:
        yield name
