"""An ordinary database user's function does run while his table is read, as the table's owner: it gets no further.

It tries to outlive the read in the session of the master: by a setting that later statements resolve names with, by a
prepared statement in the place of the tool's, by a cursor that is worked out at the end of the transaction. And where
nobody can read as the owner, the table is not read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from hostile_types import DATABASE, LOOT, MASTER, PASSWORD, USER
from psycopg import sql
from reading_cluster import one_cluster, run, servers

from rotator.database.interface import Target
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import reader
from rotator.database.postgres.compare.recheck import recheck
from rotator.database.postgres.connection import session
from rotator.database.postgres.fence.fence import fence
from rotator.database.postgres.fence.unfence import unfence
from rotator.database.postgres.preflight.database import database_findings
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import read, unwritten
from rotator.database.postgres.replication import guard
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres


def planned(name: str, *body: str) -> tuple[str, ...]:
    """A table whose index makes the planner run `body`."""
    lines = "; ".join(body)
    return (
        f"create function app.{name}_does() returns int language plpgsql as $$ begin {lines}; return 1; end $$",
        f"create function app.{name}_still(n int) returns int language plpgsql immutable as"
        f" $$ begin return app.{name}_does(); end $$",
        f"create table app.{name} (id int primary key, v int)",
        f"insert into app.{name} values (1, 1)",
        f"create index on app.{name} ((v + app.{name}_still(1)))",
    )


RENAMER, OURS = ("app", "renamer"), ("public", "ours")
HOSTILE = (
    "create function app.stolen(bigint) returns text language plpgsql as"
    " $$ begin perform app.rise('search_path'); return '0'; end $$",
    "create aggregate app.count(*) (sfunc = pg_catalog.int8inc, stype = int8, initcond = '0')",
    *planned("renamer", "perform pg_catalog.set_config('search_path', 'app, pg_catalog', false)"),
    *planned(
        "preparer",
        f"if session_user = '{MASTER}' then execute 'deallocate all'; execute"
        " 'prepare rotator_look_0 as select app.rise(''prepared statement'')'; end if",
    ),
    *planned(
        "holder",
        "begin execute 'declare held cursor with hold for select app.rise(''cursor'')';"
        " exception when others then null; end",
    ),
)


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "none")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with one_cluster(request.param, *LOOT, *HOSTILE) as made:
        run(made, MASTER, "create table public.ours (id int primary key)", "insert into public.ours values (1), (2)")
        yield made


@pytest.fixture
def target(cluster: Cluster) -> Iterator[Target]:
    """The master's access; at the end nothing of the user's has run as the master."""
    yield cluster.target(PASSWORD, DATABASE)
    with session(cluster.target(PASSWORD, DATABASE), doing="look") as connection:
        assert connection.execute("select * from app.loot").fetchall() == []


def test_what_runs_is_the_owner_and_cannot_become_anybody_else(target: Target) -> None:
    who = sql.SQL("select current_user, current_setting('transaction_read_only')")
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [RENAMER, OURS])
        assert read(connection, who, 2, seen[RENAMER]) == [(USER, "on")]
        with pytest.raises(psycopg.Error, match="security-definer"):
            read(connection, sql.SQL("select pg_catalog.set_config('role', 'none', false)"), 1, seen[RENAMER])
        assert read(connection, who, 2, seen[OURS]) == [(MASTER, "on")]


@pytest.mark.parametrize("name", ["renamer", "holder"])
def test_a_table_of_the_master_is_read_as_before_after_one_of_the_user(target: Target, name: str) -> None:
    """In one transaction, as the recheck does."""
    count = sql.SQL("select count(*) from {}")
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("app", name), OURS])
        with unwritten(connection):
            assert read(connection, count.format(sql.Identifier("app", name)), 1, seen["app", name]) == [("1",)]
            assert read(connection, count.format(sql.Identifier(*OURS)), 1, seen[OURS]) == [(2,)]
            assert connection.execute("show search_path").fetchone() == ("pg_catalog, pg_temp",)
        assert connection.execute("select from pg_cursors where name = 'held'").rowcount == 0


def test_a_prepared_statement_in_the_place_of_the_tools_ends_the_run(target: Target) -> None:
    with session(target, doing="look") as blue, session(target, doing="look") as green:
        green.execute("prepare rotator_look_0 as select 1")
        with pytest.raises(DatabaseError) as found:
            recheck({DATABASE: blue}, {DATABASE: green}, [Chunk(DATABASE, "app", "preparer")], time.monotonic() + 20)
        assert found.value.code == "reading-tampered"


def test_a_prepared_statement_is_noticed_in_a_transaction_of_its_own_too(target: Target) -> None:
    """Such as the look for rows of unlogged tables, in the session that sets the sequences."""
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("app", "preparer"), OURS])
        count = sql.SQL("select count(*) from {}")
        assert read(connection, count.format(sql.Identifier(*OURS)), 1, seen[OURS]) == [(2,)]
        with pytest.raises(DatabaseError) as found:
            read(connection, count.format(sql.Identifier("app", "preparer")), 1, seen["app", "preparer"])
        assert found.value.code == "reading-tampered"


def test_a_fenced_server_is_read_as_the_owners(target: Target) -> None:
    """What a read needs is temporary: the fence lets it through, and the record of DDL has nothing of it."""
    fence(target, "local-g1", 20.0)
    try:
        with session(target, doing="look") as connection:
            guard.install(connection)
        with reader(target, DATABASE, [("app", "renamer")]) as side:
            assert side.shapes[f"{DATABASE}.app.renamer"].seen.as_owner
            assert side.content(Chunk(DATABASE, "app", "renamer")).rows == 1
        with session(target, doing="look") as connection:
            assert guard.recorded(DATABASE, connection) == ()
    finally:
        unfence(target)
    with session(target, doing="tidy up") as connection:
        guard.remove(connection)


def test_where_nobody_can_read_as_the_owner_the_table_is_not_read(cluster: Cluster, target: Target) -> None:
    """The user takes his own right away: preflight stops the rotation, and so does the read."""
    run(cluster, MASTER, f"revoke temporary on database {DATABASE} from public")
    try:
        with session(target, doing="look") as connection:
            found = {each.code: each for each in database_findings(DATABASE, connection)}
        assert found["reading-code"].blocks
        assert "app.renamer" in found["reading-code"].what
        assert found["reading-code"].fix == f"GRANT TEMPORARY ON DATABASE {DATABASE} TO {USER};"
        with pytest.raises(DatabaseError) as refused, reader(target, DATABASE, [("app", "renamer")]):
            pytest.fail("it was opened")
        assert refused.value.code == "reading-code"
        assert refused.value.fix == found["reading-code"].fix
        with reader(target, DATABASE, [OURS]) as side:
            assert side.content(Chunk(DATABASE, *OURS)).rows == 2
    finally:
        run(cluster, MASTER, f"grant temporary on database {DATABASE} to public")
