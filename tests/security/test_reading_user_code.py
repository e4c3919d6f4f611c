"""An ordinary database user makes types, casts, domains, indexes: comparing his tables must not run his functions.

Whatever runs while the master reads, runs as the master: the user would own the server. One server stands for both
sides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from hostile_types import DATABASE, LOOT, MASTER, PASSWORD, PLANNED, SWAPPED, TABLES, USER
from reading_cluster import one_cluster, run, servers

from rotator.database.interface import Target
from rotator.database.postgres.compare.checksum import checksum
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import reader
from rotator.database.postgres.compare.recheck import recheck
from rotator.database.postgres.compare.verify import verify_online
from rotator.database.postgres.connection import session
from rotator.database.postgres.replication import unlogged
from rotator.domain.database import Table
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "none")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    made = [statement for part in (*TABLES.values(), *PLANNED.values()) for statement in part]
    with one_cluster(request.param, *LOOT, *made) as found:
        yield found


@pytest.fixture
def target(cluster: Cluster) -> Iterator[Target]:
    """The master's access; at the end nothing of the user's has run as the master."""
    run(cluster, USER, "truncate app.loot")
    yield cluster.target(PASSWORD, DATABASE)
    with psycopg.connect(host=cluster.address, user=MASTER, password=PASSWORD, dbname=DATABASE) as connection:
        assert connection.execute("select * from app.loot").fetchall() == []


def quiet(fraction: float, text: str) -> None:
    """No progress."""


SUBJECTS = [{"span": "spanned"}.get(name, name) for name in (*TABLES, *PLANNED)]


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_online_comparison_runs_nothing_of_the_user(target: Target, name: str) -> None:
    report = verify_online(target, target, [Table(DATABASE, "app", name, 700)], lambda: None, quiet, chunk_rows=100)
    assert (report.differences, report.unsettled) == ((), ())
    assert report.tables[f"{DATABASE}.app.{name}"].rows == 700


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_checksum_runs_nothing_of_the_user(target: Target, name: str) -> None:
    assert checksum(target, Table(DATABASE, "app", name), quiet, limits=(1, 1)).rows == 700


@pytest.mark.parametrize("name", SUBJECTS)
def test_watching_rows_and_the_recheck_run_nothing_of_the_user(target: Target, name: str) -> None:
    with reader(target, DATABASE, [("app", name)]) as side:
        key = tuple(column.name for column in side.shapes[f"{DATABASE}.app.{name}"].key)
        whole = Chunk(DATABASE, "app", name, key)
        if key:
            rows = list(side.listed(whole, 700))
            chunks = [replace(whole, low=rows[99], high=rows[199]), replace(whole, low=rows[299])]
            assert [side.content(chunk).rows for chunk in chunks] == [100, 400]
        else:
            chunks = [whole]
            assert side.versioned(whole).rows == 700
    with session(target, DATABASE, doing="x") as blue, session(target, DATABASE, doing="x") as green:
        assert recheck({DATABASE: blue}, {DATABASE: green}, chunks, time.monotonic() + 20) == ()


def test_a_table_that_became_a_view_is_not_read(cluster: Cluster, target: Target) -> None:
    """The user swaps it between the look at the catalogs and the read; a view's functions run as whoever reads it."""
    run(
        cluster,
        USER,
        "create table app.swapped (id int primary key, v text)",
        "insert into app.swapped values (1, 'x')",
    )
    with reader(target, DATABASE, [("app", "swapped")]) as side:
        whole = Chunk(DATABASE, "app", "swapped")
        assert side.content(whole).rows == 1
        run(cluster, USER, *SWAPPED)
        with pytest.raises(DatabaseError) as refused:
            side.content(whole)
        assert refused.value.code == "reading-changed"


def test_looking_for_unlogged_rows_runs_nothing_of_the_user(target: Target) -> None:
    with session(target, DATABASE, doing="x") as connection:
        assert unlogged.filled(connection) == (("app", "unlogged"),)
