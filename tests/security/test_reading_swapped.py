"""Other owners, and the time between a look at a table and its reading.

A user's function runs while his table is read, as himself. He must not reach through it what another owner may read;
nor have another's rights, or the master's, by putting a table of his own, or code, where something else was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from hostile_types import DATABASE, LOOT, MASTER, PASSWORD, USER
from psycopg import sql
from reading_cluster import one_cluster, run, servers

from rotator.database.interface import Target
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import reader
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import hold, read, unwritten
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres

VICTIM, SECRET = "vault", 7777
BORROW = f"""
create function app.borrow() returns int language plpgsql as $$
declare f record; got text[];
begin
  for f in select proname from pg_catalog.pg_proc where pronamespace = pg_catalog.pg_my_temp_schema()
              and pg_catalog.starts_with(proname, 'rotator_read_') loop
    begin
      execute pg_catalog.format('select x from pg_temp.%I(%L) x', f.proname,
                                'select array[n::text, current_user::text] from vault.secrets') into got;
      if got[2] = '{VICTIM}' then perform pg_catalog.pg_advisory_lock(got[1]::bigint); end if;
    exception when insufficient_privilege then null;
    end;
  end loop;
  return 1;
end $$
"""
WHO = """
create function app.who() returns int language plpgsql as $$
begin
  -- Whose rights these are is told by a lock, which no rollback takes back.
  if session_user = 'shop_admin' and current_user <> 'app' then
    perform pg_catalog.pg_advisory_lock(current_user::regrole::oid::bigint);
  end if;
  return 1;
end $$
"""


def still(name: str) -> str:
    """The function `name` as one that the planner believes to be constant."""
    return (
        f"create function app.{name}_still(n int) returns int language plpgsql immutable as"
        f" $$ begin return app.{name}(); end $$"
    )


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "none")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with one_cluster(request.param, *LOOT, BORROW, still("borrow"), WHO, still("who")) as made:
        run(
            made,
            MASTER,
            f"create role {VICTIM} login password '{PASSWORD}'",
            f"grant {VICTIM} to {MASTER}",
            f"create schema vault authorization {VICTIM}",
            f"grant usage, create on schema app to {VICTIM}, {MASTER}",
        )
        run(made, VICTIM, "create table vault.secrets (id int primary key, n bigint)")
        run(made, VICTIM, f"insert into vault.secrets values (1, {SECRET})")
        yield made


@pytest.fixture
def target(cluster: Cluster) -> Target:
    return cluster.target(PASSWORD, DATABASE)


def locks(connection: Connection) -> set[int]:
    rows = connection.execute("select objid::bigint from pg_locks where locktype = 'advisory' and database <> 0")
    return {int(row[0]) for row in rows.fetchall()}


def taken(target: Target) -> set[int]:
    """What the user's code has left in any session of the master."""
    with session(target, doing="look") as connection:
        return locks(connection)


def evil(name: str, kind: str = "table") -> tuple[str, str, str]:
    """The user's table or view with that name, which the victim and the master may read."""
    return (
        f"create {kind} app.{name} {'(id int primary key, v int)' if kind == 'table' else 'as select 1 id, 2 v'}",
        f"create index on app.{name} ((v + app.who_still(1)))",
        f"grant select on app.{name} to public",
    )


def test_one_owners_code_cannot_read_as_another(cluster: Cluster, target: Target) -> None:
    """All owners' functions are in one session, while the code of one of them runs there."""
    run(cluster, USER, "create table app.thief (id int primary key, v int)")
    run(cluster, USER, "create index on app.thief ((v + app.borrow_still(1)))")
    with reader(target, DATABASE, [("app", "thief"), ("vault", "secrets")]) as side:
        assert side.content(Chunk(DATABASE, "vault", "secrets")).rows == 1
        assert side.content(Chunk(DATABASE, "app", "thief")).rows == 0
        assert SECRET not in taken(target)


def test_a_function_is_the_readers_whatever_its_owner_gives_by_default(cluster: Cluster, target: Target) -> None:
    """Default privileges of an owner neither open it to others nor keep the tool out."""
    defaults = "alter default privileges {} execute on functions {}"
    run(cluster, VICTIM, defaults.format("grant", f"to {USER}"), defaults.format("revoke", "from public"))
    try:
        with reader(target, DATABASE, [("vault", "secrets")]) as side:
            assert side.content(Chunk(DATABASE, "vault", "secrets")).rows == 1
        with session(target, doing="look") as connection:
            name = owners.look(connection, [("vault", "secrets")])["vault", "secrets"].function
            call = sql.SQL("select pg_temp.{}('select array[1]')").format(sql.Identifier(name))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(call)
    finally:
        run(cluster, VICTIM, defaults.format("revoke", f"from {USER}"), defaults.format("grant", "to public"))


@pytest.mark.parametrize("kind", ["table", "materialized view"])
@pytest.mark.parametrize("owner", [MASTER, VICTIM])
def test_a_table_in_the_place_of_anothers_is_not_read(cluster: Cluster, target: Target, owner: str, kind: str) -> None:
    """A schema's owner may drop what others have in it."""
    name = f"{kind[:4]}_of_{owner}"
    columns = "(id int primary key, v int)" if kind == "table" else "as select 1 id, 2 v"
    run(cluster, owner, f"create {kind} app.{name} {columns}")
    count = sql.SQL("select count(*) from only {}").format(sql.Identifier("app", name))
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("app", name)])["app", name]
        before = read(connection, count, 1, seen)
        run(cluster, USER, f"drop {kind} app.{name}", *evil(name, kind))
        with pytest.raises(DatabaseError) as alone:
            read(connection, count, 1, seen)
        with pytest.raises(DatabaseError) as within, unwritten(connection):
            read(connection, count, 1, seen)
        with pytest.raises(DatabaseError) as held, unwritten(connection, "repeatable read"):
            hold(connection, seen)
        assert {alone.value.code, within.value.code, held.value.code} == {"reading-changed"}
        assert taken(target) == set()
        assert [int(row[0]) for row in before] == [int(kind != "table")]


def test_a_table_that_was_given_away_is_not_read(cluster: Cluster, target: Target) -> None:
    """The same table; whoever has it now may have made an index."""
    run(cluster, VICTIM, "create table app.gift (id int primary key, v int)")
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("app", "gift")])["app", "gift"]
        run(cluster, MASTER, f"alter table app.gift owner to {USER}")
        run(cluster, USER, "create index on app.gift ((v + app.who_still(1)))", "grant select on app.gift to public")
        with pytest.raises(DatabaseError) as found:
            read(connection, sql.SQL("select count(*) from app.gift"), 1, seen)
        assert found.value.code == "reading-changed"
        assert taken(target) == set()


def test_a_table_in_a_schema_that_took_anothers_name_is_not_read(cluster: Cluster, target: Target) -> None:
    """What was looked at is still there, elsewhere."""
    run(cluster, MASTER, f"grant create on database {DATABASE} to {USER}")
    run(cluster, USER, "create schema old", f"grant usage, create on schema old to {VICTIM}, {MASTER}")
    run(cluster, VICTIM, "create table old.moved (id int primary key, v int)")
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("old", "moved")])["old", "moved"]
        run(cluster, USER, *evil("moved"), "alter schema old rename to older", "create schema old")
        run(cluster, USER, "alter table app.moved set schema old", f"grant usage on schema old to {VICTIM}, {MASTER}")
        with pytest.raises(DatabaseError) as found:
            read(connection, sql.SQL("select count(*) from old.moved"), 1, seen)
        assert found.value.code == "reading-changed"
        assert taken(target) == set()


@pytest.mark.parametrize("kind", ["table", "materialized view"])
@pytest.mark.parametrize("owner", [MASTER, VICTIM])
def test_a_table_stays_what_it_was_while_it_is_read(cluster: Cluster, target: Target, owner: str, kind: str) -> None:
    """Nobody can put another in its place between the second look and the read, nor between two of one snapshot."""
    name = f"held_{kind[:4]}_of_{owner}"
    columns = "(id int primary key, v int)" if kind == "table" else "as select 1 id, 2 v"
    run(cluster, owner, f"create {kind} app.{name} {columns}")
    with session(target, doing="look") as connection:
        seen = owners.look(connection, [("app", name)])["app", name]
        with unwritten(connection, "repeatable read"):
            hold(connection, seen)
            read(connection, sql.SQL("select count(*) from only {}").format(sql.Identifier("app", name)), 1, seen)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                run(cluster, USER, "set lock_timeout = '200ms'", f"drop {kind} app.{name}")
            assert connection.execute("select current_user").fetchone() == (MASTER,)


def test_an_owner_who_takes_his_own_rights_away_is_not_read_as_the_master(cluster: Cluster, target: Target) -> None:
    """What is read as the master for a missing right can have an index a moment later."""
    run(cluster, USER, "create table app.shy (id int primary key, v int)", "revoke select on app.shy from app")
    run(cluster, USER, f"grant select on app.shy to {MASTER}")
    try:
        with suppress(DatabaseError), reader(target, DATABASE, [("app", "shy")]) as side:
            run(cluster, USER, "create index on app.shy ((v + app.who_still(1)))")
            with suppress(DatabaseError):
                side.content(Chunk(DATABASE, "app", "shy"))
            assert taken(target) == set()
    finally:
        run(cluster, USER, "drop table app.shy")
