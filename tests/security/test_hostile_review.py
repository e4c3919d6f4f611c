"""What a hostile review found: each test fails as long as the way is open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from apply_hooks import OWNER, prepared
from hostile_types import DATABASE, LOOT, MASTER, PASSWORD, USER
from reading_cluster import one_cluster, run, servers
from replication_pair import PASSWORD as PAIR_PASSWORD
from replication_pair import running_pair

from rotator.database.interface import Target
from rotator.database.postgres.catalog.sequence_look import Look
from rotator.database.postgres.catalog.sequences import sequences
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import reader
from rotator.database.postgres.compare.recheck import recheck
from rotator.database.postgres.connection import session
from rotator.database.postgres.fence.fence import fence
from rotator.database.postgres.fence.unfence import unfence
from rotator.database.postgres.preflight.database import database_findings
from rotator.database.postgres.reading.ownership import own_schema
from rotator.database.postgres.replication import guard
from rotator.database.postgres.replication.views import refresh_stale
from rotator.database.postgres.server import PostgresServer
from rotator.database.postgres.window.fence import WindowFence
from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres


def planned(name: str, body: str) -> tuple[str, ...]:
    """A table whose index makes the planner run `body`, in sessions of the master alone."""
    return (
        f"create function app.{name}_does() returns int language plpgsql as $$ begin"
        f" if session_user = '{MASTER}' then {body}; end if; return 1; end $$",
        f"create function app.{name}_still(n int) returns int language plpgsql immutable as"
        f" $$ begin return app.{name}_does(); end $$",
        f"create table app.{name} (id int primary key, v int)",
        f"insert into app.{name} values (1, 1)",
        f"create index on app.{name} ((v + app.{name}_still(1)))",
    )


TABLES = (
    *planned(
        "climber",
        "begin perform pg_catalog.set_config('role', 'none', false); exception when others then null; end;"
        f" if current_user <> '{USER}' then"
        "   perform pg_catalog.pg_advisory_lock(current_user::regrole::oid::bigint); end if",
    ),
    *planned(
        "stubborn",
        "declare began timestamptz := clock_timestamp(); begin"
        " while clock_timestamp() < began + interval '15 s' loop"
        "   begin perform pg_sleep(15); exception when query_canceled then null; end;"
        " end loop; end",
    ),
    *planned("liar", "raise exception 'x' using errcode = '57014'"),
    *planned("impostor", "raise exception 'x' using errcode = 'RO001'"),
    "create table app.plain (id int primary key, v int)",
    "create sequence app.number",
)


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "none")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with one_cluster(request.param, *LOOT, *TABLES) as made:
        yield made


@pytest.fixture
def target(cluster: Cluster) -> Target:
    return cluster.target(PASSWORD, DATABASE)


def number(target: Target, role: str) -> int:
    with session(target, doing="look") as connection:
        row = connection.execute("select oid::bigint from pg_roles where rolname = %s", [role]).fetchone()
        assert row
        return int(row[0])


def taken(target: Target) -> set[int]:
    """Which roles' rights the user's code has had in a session of the master."""
    with session(target, doing="look") as connection:
        rows = connection.execute("select objid::bigint from pg_locks where locktype = 'advisory' and database <> 0")
        return {int(row[0]) for row in rows.fetchall()}


def own_reader(cluster: Cluster) -> str:
    """ALTER FUNCTION of what the tool has made in its own temporary schema for the user."""
    with psycopg.connect(
        host=cluster.address, user=USER, password=PASSWORD, dbname=DATABASE, autocommit=True
    ) as connection:
        row = connection.execute(
            "select format('alter function %I.%I(text) security invoker', n.nspname, p.proname)"
            "  from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where starts_with(p.proname, 'rotator_read_') and p.proowner = current_user::regrole"
        ).fetchone()
        assert row
        return str(row[0])


def test_an_owner_does_not_change_the_function_that_reads_his_tables(cluster: Cluster, target: Target) -> None:
    """The function in pg_temp is its owner's: with USAGE of all schemas (pg_read_all_data) he can make it an INVOKER's.

    His code then runs with the session's role and outside of any restriction: RESET ROLE gives it the master's rights.
    """
    with cluster.admin(DATABASE) as admin:
        admin.execute(f"grant pg_read_all_data to {USER}".encode())
    try:
        with reader(target, DATABASE, [("app", "climber")]) as side:
            with suppress(psycopg.Error):
                run(cluster, USER, own_reader(cluster))
            with suppress(DatabaseError):
                side.content(Chunk(DATABASE, "app", "climber"))
            assert number(target, MASTER) not in taken(target)
    finally:
        with cluster.admin(DATABASE) as admin:
            admin.execute(f"revoke pg_read_all_data from {USER}".encode())


def test_a_table_in_the_place_of_a_sequence_is_not_read_as_the_master(cluster: Cluster, target: Target) -> None:
    """A sequence that never gave out a number is read as a table is, by its name, and again and again in the window."""
    with session(target, doing="look") as connection:
        look = Look(connection)
        look.read()
        recent = connection.info.server_version >= 180000
        run(
            cluster,
            USER,
            # From 18 on only a sequence that may not be read is read as a table is.
            *([f"revoke all on sequence app.number from {USER}"] if recent else []),
            "alter sequence app.number rename to number_before",
            "create table app.number (last_value bigint, is_called bool)",
            "insert into app.number values (1, false)",
            "create index on app.number ((last_value + app.still('sequence')))",
            "grant select on app.number to public",
        )
        try:
            with suppress(DatabaseError, psycopg.Error):
                look.read()
            assert connection.execute("select * from app.loot").fetchall() == []
        finally:
            run(cluster, USER, "drop table app.number", "delete from app.loot")
            run(cluster, USER, f"grant all on sequence app.number_before to {USER}")
            run(cluster, USER, "alter sequence app.number_before rename to number")


def test_the_last_comparison_ends_at_its_deadline_whatever_an_owners_code_does(target: Target) -> None:
    """A function in an index may catch the cancel of statement_timeout, which comes once."""
    with session(target, doing="look") as blue, session(target, doing="look") as green:
        began = time.monotonic()
        with pytest.raises(DatabaseError) as late:
            recheck({DATABASE: blue}, {DATABASE: green}, [Chunk(DATABASE, "app", "stubborn")], began + 2)
        assert time.monotonic() - began < 10
        assert late.value.code == "recheck-timeout"
    query = "select from pg_stat_activity where usename = current_user and state = 'active' and pid <> pg_backend_pid()"
    with session(target, doing="look") as connection:
        while connection.execute(query).rowcount:
            assert time.monotonic() - began < 12, "its server still runs it"
            time.sleep(0.1)


@pytest.mark.parametrize("name", ["liar", "impostor"])
def test_an_error_that_an_owner_raises_is_told_as_his(target: Target, name: str) -> None:
    """SQLSTATEs are anybody's to raise: 57014 is told as too many writes, RO001 as a table that was swapped."""
    with (
        session(target, doing="look") as blue,
        session(target, doing="look") as green,
        pytest.raises(DatabaseError) as found,
    ):
        recheck({DATABASE: blue}, {DATABASE: green}, [Chunk(DATABASE, "app", name)], time.monotonic() + 20)
    assert found.value.code not in ("recheck-timeout", "reading-changed")
    assert name in str(found.value)


def test_an_owner_who_takes_execute_from_himself_is_named_by_preflight(cluster: Cluster, target: Target) -> None:
    """ALTER DEFAULT PRIVILEGES of an owner can keep himself from calling the function that reads his table."""
    run(cluster, USER, f"alter default privileges revoke execute on functions from public, {USER}")
    try:
        with session(target, doing="look") as connection:
            found = {each.code for each in database_findings(DATABASE, connection)}
        if "reading-code" not in found:
            with reader(target, DATABASE, [("app", "plain")]) as side:
                assert side.content(Chunk(DATABASE, "app", "plain")).rows == 0
    finally:
        run(cluster, USER, f"alter default privileges grant execute on functions to public, {USER}")


@pytest.mark.parametrize("statement", ["alter table app.pg_temp rename column v to w", "drop owned by heir"])
def test_ddl_that_identities_tell_nothing_of_is_recorded(cluster: Cluster, target: Target, statement: str) -> None:
    """'app.pg_temp.w' was taken for something temporary; of DROP OWNED no command is collected at all."""
    heir(cluster)
    try:
        run(cluster, USER, "create table app.pg_temp (id int primary key, v int)")
        with session(target, doing="record") as connection:
            own_schema(connection)
            guard.install(connection)
        run(cluster, USER, statement.format(user=USER))
        with session(target, doing="look") as connection:
            assert guard.recorded(DATABASE, connection) != ()
    finally:
        with session(target, doing="tidy up") as connection:
            guard.remove(connection)
            connection.execute("drop schema if exists rotator cascade")
        no_heir(cluster)
        run(cluster, USER, "drop table app.pg_temp")


def test_reassigning_changes_the_schema_that_is_compared(cluster: Cluster, target: Target) -> None:
    """REASSIGN OWNED fires no event trigger. The flip compares the schema with the one that was validated."""
    heir(cluster)
    try:
        run(cluster, USER, "create table app.given (id int primary key)", "alter table app.given owner to heir")
        with session(target, doing="look") as connection:
            before, schema_hash = PostgresServer(target).schema(), guard.schema_hash(connection)
            run(cluster, USER, f"reassign owned by heir to {USER}")
            assert PostgresServer(target).schema() != before
            assert guard.schema_hash(connection) != schema_hash
    finally:
        no_heir(cluster)
        run(cluster, USER, "drop table app.given")


def heir(cluster: Cluster) -> None:
    """A role that the user may give to; and a master who may make event triggers."""
    with cluster.admin(DATABASE) as admin:
        for each in (
            f"alter role {MASTER} superuser",
            "create role heir",
            f"grant heir to {USER}",
            "grant create, usage on schema app to heir",
            f"grant create on database {DATABASE} to heir",
        ):
            admin.execute(each.encode())


def no_heir(cluster: Cluster) -> None:
    with cluster.admin(DATABASE) as admin:
        for each in (
            f"reassign owned by heir to {USER}",
            "drop owned by heir",
            "drop role heir",
            f"alter role {MASTER} nosuperuser",
        ):
            admin.execute(each.encode())


def test_what_event_triggers_are_told_nothing_of_is_refused_too(cluster: Cluster, target: Target) -> None:
    """DROP OWNED takes rights away on a fenced server: pg_event_trigger_ddl_commands() has nothing of it."""
    heir(cluster)
    try:
        fence(target, "local-g1", 20.0)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            run(cluster, USER, "create table app.refused (id int)")  # the fence does stand
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            run(cluster, USER, "drop owned by heir")
    finally:
        unfence(target)
        no_heir(cluster)


AUDIT = (
    "create role got_event",
    f"create schema evil authorization {OWNER}",
    f"set role {OWNER}",
    "create function evil.pg_event_trigger_ddl_commands() returns setof int language plpgsql as $f$ begin"
    f" if current_user <> '{OWNER}' then execute 'alter role got_event createrole'; end if; return next 1; end $f$",
    "create table item (id int primary key)",
    "create materialized view total as select count(*) n from item",
    f"alter role {OWNER} set search_path = evil, pg_catalog, public",
    "reset role",
    # An administrator's own, as they are written everywhere; it does see what replication sessions do.
    "create function audit() returns event_trigger language plpgsql as $f$ begin"
    " perform count(*) from pg_event_trigger_ddl_commands(); end $f$",
    "create event trigger audit on ddl_command_end execute function audit()",
    "alter event trigger audit enable always",
)


def test_a_refresh_does_not_run_others_event_triggers_with_the_owners_search_path() -> None:
    """They fire for REFRESH as the master, whose search_path is that of the view's owner by then."""
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *AUDIT, superuser=True) as pair:
        pair.open()
        pair.follow()
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("insert into public.item values (1)")
        pair.forward.catch_up(30.0)
        with pair.connect(user="shop_admin") as admin:
            admin.execute("set search_path = pg_catalog, public")
            admin.execute("refresh materialized view total")
        refresh_stale(pair.source, pair.target)
        assert pair.rows("select rolcreaterole from pg_roles where rolname = 'got_event'", pair.green) == [(False,)]


def test_a_publication_that_somebody_made_under_the_tools_name_is_not_used() -> None:
    """The name can be guessed. Its owner says what is published: here no UPDATE and no DELETE of anybody's table."""
    squatted = (
        "create table ours (id int primary key, v int)",
        "insert into ours values (1, 1)",
        f"grant create on database shop to {OWNER}",
        f"set role {OWNER}",
        "create publication rotator_local_g1 with (publish = 'insert')",
        "reset role",
    )
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *squatted) as pair:
        with pytest.raises(DatabaseError, match="rotator_local_g1") as refused:
            pair.open()
        assert refused.value.code == "publication-taken"
        pair.run("drop publication rotator_local_g1")
        pair.open()
        pair.follow()
        pair.run("update ours set v = 2")
        pair.forward.catch_up(30.0)
        assert pair.rows("select v from ours", pair.green) == [(2,)]


def test_a_look_at_the_sequences_cannot_be_held_up_and_led_to_a_table(cluster: Cluster, target: Target) -> None:
    """As above, with nothing left to chance, and for preflight too: a lock on the sequence before it stops the look."""
    made = (
        "create sequence app.a_before",
        "select nextval('app.a_before')",
        "create sequence app.b_victim",
    )
    run(cluster, USER, *made)
    options = {"host": cluster.address, "user": USER, "password": PASSWORD, "dbname": DATABASE}
    try:
        with psycopg.connect(**options) as holder:
            holder.execute("alter sequence app.a_before increment 1")
            looking = threading.Thread(target=lambda: suppressed(lambda: sequences(target)))
            looking.start()
            with session(target, doing="look") as connection:
                query = "select from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'rotator'"
                while looking.is_alive() and not connection.execute(query).rowcount:
                    time.sleep(0.05)
            run(
                cluster,
                USER,
                "alter sequence app.b_victim rename to b_gone",
                "create table app.b_victim (last_value bigint, is_called bool)",
                "insert into app.b_victim values (1, false)",
                "create index on app.b_victim ((last_value + app.still('sequence')))",
                "grant select on app.b_victim to public",
            )
            holder.commit()
        looking.join(20)
        with session(target, doing="look") as connection:
            assert connection.execute("select * from app.loot").fetchall() == []
    finally:
        run(cluster, USER, "drop table if exists app.b_victim", "drop sequence if exists app.b_gone, app.a_before")
        run(cluster, USER, "delete from app.loot")


def suppressed(what: Callable[[], object]) -> None:
    with suppress(DatabaseError):
        what()


def test_nobody_makes_the_tools_schema_look_like_a_strangers(cluster: Cluster, target: Target) -> None:
    """ALTER DEFAULT PRIVILEGES IN SCHEMA asks for no right on it. A fence that cannot be lifted keeps all out."""
    fence(target, "local-g1", 20.0)
    try:
        run(cluster, USER, "alter default privileges in schema rotator grant select on tables to public")
        try:
            unfence(target)
        except DatabaseError as error:
            pytest.fail(f"{error.code}: {error.details}")
        run(cluster, USER, "insert into app.plain values (1, 1)", "delete from app.plain")
    finally:
        run(cluster, USER, "alter default privileges in schema rotator revoke select on tables from public")
        unfence(target)


def test_a_grant_to_the_rotations_login_does_not_keep_it_from_being_removed() -> None:
    """Whoever owns anything can grant a right on it to the login: DROP ROLE fails from then on."""
    theirs = (f"set role {OWNER}", "create table theirs (id int primary key)", "reset role")
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *theirs) as pair:
        pair.open()
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("grant select on public.theirs to rotator_local_g1")
        pair.forward.close()
        assert pair.rows("select rolname from pg_roles where rolname ~ '^rotator_'") == []


def test_a_refresh_of_the_masters_view_does_not_run_anothers_code_as_the_master() -> None:
    """The master's materialized view reads a view of somebody else, who has put his function there."""
    made = (
        "create role got_view",
        f"set role {OWNER}",
        "create table item (id int primary key)",
        "create function evil_view() returns int language plpgsql as $f$ begin"
        f" if current_user <> '{OWNER}' then execute 'alter role got_view createrole'; end if; return 1; end $f$",
        "create view items as select id, 1 as one from item",
        "reset role",
        "create materialized view total as select count(*) n, sum(one) s from items",
        f"set role {OWNER}",
        "create or replace view items as select id, evil_view() as one from item",
        "reset role",
    )
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *made) as pair:
        pair.open()
        pair.follow()
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("insert into public.item values (1)")
        pair.forward.catch_up(30.0)
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("create or replace view public.items as select id, 1 as one from public.item")
        pair.run("refresh materialized view total")
        refresh_stale(pair.source, pair.target)
        assert pair.rows("select rolcreaterole from pg_roles where rolname = 'got_view'", pair.green) == [(False,)]


def test_an_index_made_on_green_after_the_look_does_not_run_as_the_master() -> None:
    """The fence refuses it, where the tool's user may make event triggers: as on RDS."""
    made = (
        "create role got_late",
        f"set role {OWNER}",
        "create table late (id int not null, v int)",
        "alter table late replica identity full",
        "insert into late select i, i from generate_series(1, 100) i",
        "create function inner_late() returns void language plpgsql as $f$ begin"
        f" if current_user <> '{OWNER}' then execute 'alter role got_late createrole'; end if; end $f$",
        "create function evil_late(int) returns int immutable language plpgsql as"
        " $f$ begin perform public.inner_late(); return 1; end $f$",
        "reset role",
    )
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *made, superuser=True) as pair:
        pair.open(strengthen=True)
        pair.follow()
        with pair.connect(pair.green, user=OWNER) as mallory:
            for index in ("(v) where v > public.evil_late(1)", "((v + public.evil_late(1)))"):
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    mallory.execute(f"create index on public.late {index}".encode())
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("update public.late set v = v + 1 where id = 1")
        with suppress(DatabaseError):
            pair.forward.catch_up(10.0)
        assert pair.rows("select rolcreaterole from pg_roles where rolname = 'got_late'", pair.green) == [(False,)]


def test_what_strangers_write_into_the_log_does_not_decide_where_green_begins() -> None:
    """A failed login is logged with the name that was given: whoever reaches the port writes a line, with no right."""
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), "create table item (id int primary key)") as pair:
        pair.open()
        pair.restore(pair.snapshot())
        with suppress(psycopg.Error):
            pair.connect(pair.green, user="redo is not required")
        assert pair.bracket is not None
        pair.forward.quarantine(10.0)
        found = pair.forward.seed(pair.log(), pair.bracket)
        assert found.position is not None, (found.problem, found.figures)


def test_what_strangers_write_into_the_log_is_no_error_of_the_rotation() -> None:
    """The text of a failing statement is in the log; what continues it looks as the context of a worker's error."""
    forged = 'processing remote data for replication origin "pg_1" for replication target relation "public.ours"'
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), "create table ours (id int primary key)") as pair:
        pair.open()
        pair.follow()
        assert pair.forward.apply_errors(pair.log()) == ()
        with suppress(psycopg.Error), pair.connect(pair.green, user=OWNER) as mallory:
            mallory.execute(f"select 1/0 /*\n{forged}\n*/".encode())
        assert pair.forward.apply_errors(pair.log()) == ()


def test_who_holds_up_the_sealing_of_the_fence_is_ended_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """LOCK TABLE goes through every fence and takes no transaction number; each attempt at the flip can be spoilt."""
    theirs = (f"set role {OWNER}", "create table theirs (id int primary key)", "reset role")
    with running_pair(*prepared((), PAIR_PASSWORD, "shop_admin"), *theirs) as pair:
        pair.open()
        pair.follow()
        budgets = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)
        seal = WindowFence.seal
        with suppress(psycopg.errors.AdminShutdown), pair.connect(user=OWNER) as mallory:

            def late(fence: WindowFence) -> None:
                mallory.execute("begin; lock table public.theirs in row exclusive mode")
                seal(fence)

            monkeypatch.setattr(WindowFence, "seal", late)
            with pair.forward.window(budgets, (), retain_back=True) as window:
                window.prepare(lambda *_: None, lambda *_: None)
                passed = window.run()
            assert OWNER in " ".join(passed.cut_off)


def test_a_table_below_a_foreign_one_is_named_by_preflight_and_by_the_fence(cluster: Cluster, target: Target) -> None:
    """Statement triggers fire for the table that a statement names: through a foreign parent its children are open."""
    with cluster.admin(DATABASE) as admin:
        admin.execute("create foreign data wrapper elsewhere")
        admin.execute("create server near foreign data wrapper elsewhere")
        admin.execute(f"grant usage on foreign server near to {USER}".encode())
    run(cluster, USER, "create foreign table app.parent (id int, v int) server near")
    run(cluster, USER, "create table app.child (id int primary key, v int)", "alter table app.child inherit app.parent")
    try:
        with session(target, doing="look") as connection:
            found = {each.code: each for each in database_findings(DATABASE, connection)}["foreign-parent"]
        assert found.blocks
        assert "app.parent" in found.what
        with pytest.raises(DatabaseError) as refused:
            fence(target, "local-g1", 20.0)
        assert refused.value.code == "foreign-parent"
    finally:
        run(cluster, USER, "drop table app.child", "drop foreign table app.parent")
        unfence(target)
