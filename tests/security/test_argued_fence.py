"""A client of the application argues with the fence: by operators of his own, by names, by what he may ask for himself.

What he gains: a write on the side that has been left, while the tool says that nobody can write there. It is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pg_fixture import PgServer

from rotator.database.postgres.connection import session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.replication import guard
from rotator.database.postgres.replication.status import foreign_subscriptions
from rotator.database.postgres.server import PostgresServer

pytestmark = pytest.mark.postgres
REFUSED = psycopg.errors.ReadOnlySqlTransaction

OPERATORS = (
    "create schema evil",
    "create function evil.yes(timestamptz, timestamptz) returns boolean language sql as 'select true'",
    "create operator evil.>= (leftarg = timestamptz, rightarg = timestamptz, function = evil.yes)",
    "create function evil.yes(text, text) returns boolean language sql as 'select true'",
    "create operator evil.= (leftarg = text, rightarg = text, function = evil.yes)",
    "create function evil.yes(int, int) returns boolean language sql as 'select true'",
    "create operator evil.= (leftarg = int, rightarg = int, function = evil.yes)",
    "create function evil.yes(oid, oid) returns boolean language sql as 'select true'",
    "create operator evil.= (leftarg = oid, rightarg = oid, function = evil.yes)",
    "create function evil.no(name, text) returns boolean language sql as 'select true'",
    "create operator evil.= (leftarg = name, rightarg = text, function = evil.no)",
)
PATH = "set search_path = evil, pg_catalog, public"
SUBSCRIPTION = (
    "create subscription rotator_r1_1 connection 'dbname=nowhere' publication none"
    " with (connect = false, enabled = false, create_slot = false, slot_name = none)"
)


@pytest.fixture
def shop(pg: PgServer) -> Iterator[str]:
    """A database of the client's own; his is the table too."""
    pg.run("postgres", f"create role client login password '{pg.password}'")
    with pg.database() as name:
        pg.run("postgres", f"alter database {name} owner to client")
        with pg.connect(name, user="client", autocommit=True) as his:
            for statement in OPERATORS:
                his.execute(statement)
            his.execute("create schema shop; create table shop.orders (id int, note text)")
        yield name
        pg.run(name, "drop subscription if exists rotator_r1_1", "drop subscription if exists rotator_feed")
    pg.run("postgres", "drop role client")


def written(pg: PgServer, name: str) -> int:
    return int(pg.rows(name, "select count(*) from shop.orders")[0][0])


def test_a_clients_own_operator_does_not_pass_the_leased_fence(pg: PgServer, shop: str) -> None:
    """His `>=` says that the lease is over."""
    server = PostgresServer(pg.target(shop))
    server.fence("r1", 10)
    with session(pg.target(shop), doing="lease") as connection:
        connection.execute(fence_sql.leased_refusal("2999-01-01 00:00:00+00"))
        connection.execute(fence_sql.leased_ddl_refusal("2999-01-01 00:00:00+00"))
    with pg.connect(shop, user="client", autocommit=True) as his:
        his.execute(PATH)
        for statement in ("insert into shop.orders values (1)", "create table shop.more (i int)"):
            with pytest.raises(REFUSED):
                his.execute(statement)
    assert written(pg, shop) == 0
    state = server.fence_state()
    assert state.on
    assert state.leased


def test_a_clients_own_operators_do_not_pass_the_sealed_fence(pg: PgServer, shop: str) -> None:
    """His `=` says that he truncates, and is the tool's own subscription (there is one on the way back)."""
    pg.run(shop, SUBSCRIPTION)
    server = PostgresServer(pg.target(shop))
    server.fence("r1", 10)
    with pg.connect(shop, user="client", autocommit=True) as his:
        his.execute(PATH)
        for statement in ("insert into shop.orders values (1)", "truncate shop.orders", "create table shop.x (i int)"):
            with pytest.raises(REFUSED):
                his.execute(statement)
        with pytest.raises(REFUSED), his.cursor().copy("copy shop.orders from stdin") as copy:
            copy.write_row((1, "copied"))
    assert written(pg, shop) == 0
    assert server.fence_state().on


def test_every_function_that_is_left_has_its_own_search_path(pg: PgServer, shop: str) -> None:
    """One that has none is a hole as soon as its text has an operator."""
    PostgresServer(pg.target(shop)).fence("r1", 10)
    with session(pg.target(shop), doing="record DDL") as connection:
        guard.install(connection)
    rows = pg.rows(
        shop, "select proname, proconfig from pg_proc where pronamespace = 'rotator'::regnamespace order by proname"
    )
    pinned = ["search_path=pg_catalog, pg_temp"]
    assert rows == [("record_ddl", pinned), ("refuse_ddl", pinned), ("refuse_write", pinned)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table shop.orders disable trigger rotator_fence",
        "alter table shop.orders enable trigger rotator_fence",
        "drop trigger rotator_fence on shop.orders",
        "alter function rotator.refuse_write() reset search_path",
        "alter function rotator.refuse_write() owner to client",
        "drop trigger rotator_fence on shop.orders;"
        " create trigger rotator_fence before insert or update of note or delete or truncate on shop.orders"
        " for each statement execute function rotator.refuse_write();"
        " alter table shop.orders enable always trigger rotator_fence",
    ],
    ids=["disabled", "not always", "dropped", "function unpinned", "function another's", "for one column only"],
)
def test_the_fences_state_tells_the_truth(pg: PgServer, shop: str, change: str) -> None:
    """What its owner does to a table is his to do: it must show. Then the fence puts it right again."""
    server = PostgresServer(pg.target(shop))
    server.fence("r1", 10)
    events = ("rotator_fence_ddl", "rotator_fence_drop")
    pg.run(shop, *(f"alter event trigger {name} disable" for name in events), change)
    try:
        on = server.fence_state().on
    except Exception as error:  # noqa: BLE001  an error is no yes
        on = "foreign-schema" not in repr(getattr(error, "code", ""))
    assert on is False
    if "owner to" not in change:
        assert server.fence("r1", 10).on
        with pytest.raises(REFUSED), pg.connect(shop, user="client", autocommit=True) as his:
            his.execute("update shop.orders set id = 1")


EARLIER = """
begin
  if tg_op = 'TRUNCATE' and exists (select from pg_catalog.pg_stat_subscription s
                                     where s.pid = pg_catalog.pg_backend_pid()
                                       and pg_catalog.starts_with(s.subname::text, 'rotator_')) then
    return null;
  end if;
  raise exception 'table %.% takes no writes now: its database is moving to a new encryption key',
                  tg_table_schema, tg_table_name
    using errcode = '25006', hint = 'Nothing was written. Connect again and retry.';
end
"""
"""The function of a version that gave it no search_path."""


@pytest.mark.parametrize(("text", "on"), [(EARLIER, True), (EARLIER.replace("TRUNCATE", "INSERT"), False)])
def test_an_earlier_versions_fence_counts_in_the_soak_and_the_next_one_is_todays(
    pg: PgServer, shop: str, text: str, on: bool
) -> None:
    server = PostgresServer(pg.target(shop))
    server.fence("r1", 10)
    with session(pg.target(shop), doing="fence as before") as connection:
        connection.execute("set session_replication_role = replica")
        make = "create or replace function rotator.refuse_write() returns trigger language plpgsql as"
        connection.execute(f"{make} $fence${text}$fence$")
    function = "select proconfig, prosrc from pg_proc where proname = 'refuse_write'"
    assert pg.rows(shop, function) == [(None, text)]
    assert server.fence_state().on is on
    assert server.fence("r1", 10).on
    ((pinned, today),) = pg.rows(shop, function)
    assert pinned == ["search_path=pg_catalog, pg_temp"]
    assert today != text


def test_a_table_owner_cannot_prepare_a_weaker_trigger(pg: PgServer, shop: str) -> None:
    """Made before the fence, under its name, on the tool's function: it would fire for updates of one column only."""
    server = PostgresServer(pg.target(shop))
    server.mark("blue")
    with session(pg.target(shop), doing="prepare") as connection:
        connection.execute(fence_sql.open_refusal())
    pg.run(
        shop,
        "create trigger rotator_fence before insert or update of note or delete or truncate on shop.orders"
        " for each statement execute function rotator.refuse_write()",
        "alter table shop.orders enable always trigger rotator_fence",
        "insert into shop.orders values (1)",
    )
    assert server.fence("r1", 10).on
    with pytest.raises(REFUSED), pg.connect(shop, user="client", autocommit=True) as his:
        his.execute("update shop.orders set id = 2")


def test_a_name_that_begins_as_the_tools_passes_for_nothing(pg: PgServer, shop: str) -> None:
    """A publication of somebody else's called rotator_... is refused under the fence; a subscription is a feed."""
    server = PostgresServer(pg.target(shop))
    server.fence("r1", 10)
    with pg.connect(shop, user="client", autocommit=True) as his, pytest.raises(REFUSED):
        his.execute("create publication rotator_r1")
    server.unfence()
    pg.run(shop, SUBSCRIPTION.replace("rotator_r1_1", "rotator_feed"), "create role feeder superuser")
    pg.run(
        shop, "alter subscription rotator_feed owner to feeder", "alter subscription rotator_feed set (slot_name = s)"
    )
    pg.run(shop, "alter subscription rotator_feed enable")
    try:
        with session(pg.target(shop), doing="look") as connection:
            assert foreign_subscriptions(connection) == (f"{shop}.rotator_feed",)
        assert "subscription" in {finding.code for finding in server.preflight()}
    finally:
        pg.run(
            shop, "alter subscription rotator_feed disable", "alter subscription rotator_feed set (slot_name = none)"
        )
        pg.run(shop, "drop subscription rotator_feed", "drop role feeder")


HIDING = {
    "application_name": ("set application_name = 'rotator'", "alter table shop.orders add column hidden int"),
    "replica": ("set session_replication_role = replica", "alter table shop.orders add column hidden int"),
    "a name like a temporary one": ("select 1", 'create table shop."hidden pg_temp.t" (i int)'),
}


@pytest.mark.parametrize(("before", "ddl"), HIDING.values(), ids=HIDING.keys())
def test_ddl_is_recorded_whatever_its_session_calls_itself(pg: PgServer, shop: str, before: str, ddl: str) -> None:
    """Logical replication carries no DDL: what is not seen is missing on the side that takes over."""
    if "replica" in before:
        if not pg.rows("postgres", "select 1 where current_setting('server_version_num')::int >= 150000"):
            pytest.skip("a privilege of PostgreSQL 15")
        pg.run(shop, "grant set on parameter session_replication_role to client")
    server = PostgresServer(pg.target(shop))
    server.mark("blue")
    with session(pg.target(shop), doing="record DDL") as connection:
        guard.install(connection)
        connection.execute("alter table shop.orders replica identity full")
    with pg.connect(shop, user="client", autocommit=True) as his:
        his.execute(before)
        his.execute(ddl)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            his.execute("delete from rotator.ddl")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            his.execute("select rotator.record_ddl()")
    if "replica" in before:
        pg.run(shop, "revoke set on parameter session_replication_role from client")
    with session(pg.target(shop), doing="look") as connection:
        found = guard.recorded(shop, connection)
    assert len(found) == 1, found
    assert " by client at " in found[0]


def test_the_masters_other_sessions_are_recorded_too(pg: PgServer, shop: str) -> None:
    """An application that connects as the master, under the tool's name."""
    PostgresServer(pg.target(shop)).mark("blue")
    with session(pg.target(shop), doing="record DDL") as connection:
        guard.install(connection)
    with pg.connect(shop, autocommit=True, application_name="rotator") as app:
        app.execute("create table shop.late (i int)")
    with session(pg.target(shop), doing="look") as connection:
        assert len(guard.recorded(shop, connection)) == 1
