"""More tables than the lock table holds."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from replication_pair import Pair, running_pair

from rotator.database.compare import compare_schema
from rotator.database.postgres.compare.reader import SETTINGS, shapes_of
from rotator.database.postgres.connection import session
from rotator.database.postgres.replication import publish
from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import CounterState
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

TABLES = 2000
FEW_LOCKS = {"max_locks_per_transaction": "10", "max_connections": "30"}
"""Places for about 800 locks by the manual's formula; some hundreds more fit."""


@pytest.fixture(scope="module")
def many() -> Iterator[Pair]:
    def made(number: int) -> str:
        name = f"t{number:04}"
        view = f"create view v{name} as select * from {name}"
        return f"create table {name} (id int primary key); {view}; create sequence s{name}"

    with running_pair("create schema other", superuser=True, **FEW_LOCKS) as pair:
        pair.run(*(";".join(made(n) for n in range(first, first + 50)) for first in range(0, TABLES, 50)))
        yield pair


def test_the_lock_table_that_is_too_small_is_named(many: Pair) -> None:
    found = PostgresServer(many.source).preflight_replicate("local-g1", strengthen=False)
    (few,) = [finding for finding in found if finding.code == "lock-table"]
    assert few.blocks
    assert f"{TABLES:,} tables" in few.why
    assert not [finding for finding in PostgresServer(many.source).preflight() if finding.blocks]


def test_nothing_else_needs_so_many_locks(many: Pair) -> None:
    """Publications, catalogs, sequences, the fence: with strategy snapshot nothing blocks."""
    server = PostgresServer(many.source)
    opened = publish.open_publications(many.source, many.forward.names, strengthen=False)
    assert opened.tables == TABLES
    publish.open_publications(many.source, many.forward.names, strengthen=False)
    assert many.forward.not_carried() == ()
    schema = server.schema()
    assert compare_schema(schema, server.schema()) == ()
    many.run("create or replace view vt0007 as select id from t0007 where id > 0")
    assert compare_schema(schema, server.schema()) == ("view shop.public.vt0007: the definitions differ",)
    positions = server.counters()
    assert len(positions) == TABLES
    server.raise_counters(dict.fromkeys(positions, CounterState(7, True)))
    assert set(server.counters().values()) == {CounterState(7, True)}
    assert "publication in shop removed" in publish.close(many.source, many.forward.names, {})


def test_a_publication_follows_the_tables(many: Pair) -> None:
    names = many.forward.names
    publish.open_publications(many.source, names, strengthen=False)
    many.run("drop table t0000 cascade", "create table late (id int primary key)")
    with session(many.source, doing="look") as connection:
        assert publish.unpublished(connection, names) == (("public", "late"),)
        publish.open_publications(many.source, names, strengthen=False)
        assert publish.unpublished(connection, names) == ()
    publish.close(many.source, names, {})


def test_the_time_to_look_at_tables_does_not_grow_with_their_square(many: Pair) -> None:
    """On the same server: what the other tables are must not count. It read all indexes for each table."""
    many.run("analyze")

    def seconds(count: int) -> float:
        began = time.monotonic()
        assert len(shapes_of(connection, [("public", f"t{n:04}") for n in range(1, count + 1)])) == count
        return time.monotonic() - began

    with session(many.source, doing="look") as connection:
        connection.execute(SETTINGS)
        seconds(10)
        few, all_of_them = min(seconds(100) for _ in range(3)), min(seconds(1900) for _ in range(3))
    assert all_of_them < max(few, 0.02) * 40


@pytest.mark.matrix
def test_subscribing_needs_them_all_at_once(many: Pair) -> None:
    """What the finding says of CREATE SUBSCRIPTION."""
    many.open()
    with pytest.raises(DatabaseError) as caught:
        many.follow()
    assert "SQLSTATE 53200" in f"{caught.value} {caught.value.why}"  # "out of shared memory"
    assert "max_locks_per_transaction" in caught.value.fix
