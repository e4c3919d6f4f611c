# ruff: noqa: F811 (the fixtures are imported)
"""Every finding of strategy replicate about a database is made by a real database that has the trouble."""

from typing import Any

import psycopg
import pytest
from pg_findings import KEYED, findings, login, since  # noqa: F401
from pg_fixture import PgServer

from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.replicate_identity import INCOMPARABLE

pytestmark = pytest.mark.postgres


def as_extension(name: str) -> str:
    """The one extension that every build has, under another's name: what the checks read is its entry."""
    return f"update pg_extension set extname = '{name}' where extname = 'plpgsql'"


@pytest.mark.parametrize("full", [False, True])
def test_a_database_that_can_be_replicated_has_no_findings(pg: PgServer, full: bool) -> None:
    with pg.database(
        "create table a (id bigserial primary key, v json, p point, twice int generated always as (2) stored)",
        "create table b (id uuid not null, v xml)",
        "create unique index b_id on b (id)",
        "alter table b replica identity using index b_id",
        "create table c (day date, n int, primary key (day, n)) partition by range (day)",
        "create table c1 partition of c for values from ('2026-01-01') to ('2027-01-01')",
        "create table leaves (day date, n int) partition by list (n)",
        "create table leaf partition of leaves (primary key (day)) for values in (1)",
        "create table whole (id int primary key, v json)",
        "alter table whole replica identity full",
        "create table swapped (id int primary key, rank int unique deferrable)",
        "create unlogged table scratch (i int)",
        "create view v as select id from a",
        "create function touch() returns trigger language plpgsql as 'begin return new; end'",
        "create trigger touch before insert on a for each row execute function touch()",
        "create rule r as on insert to a do also nothing",
        "alter table a enable always rule r",
        "create function up(t text) returns text language plpgsql immutable set search_path = '' as"
        " 'begin return upper(t); end'",
        "create index on b (up(id::text))",
        "create function now_default() returns int language plpgsql as 'begin return 1; end'",
        "alter table whole alter id set default now_default()",
    ) as name:
        assert findings(pg, name, full=full) == {}


NO_KEY = ("create table item (id int, v text)",)
TRIGGER = (
    KEYED,
    "create function touch() returns trigger language plpgsql as 'begin return new; end'",
)
FUNCTION = (
    KEYED,
    "create function ok(i bigint) returns bool language plpgsql immutable as 'begin return i > 0; end'",
)

# (statements, whether FULL is allowed, code, blocks, what the finding must name)
TROUBLES = [
    (NO_KEY, False, "no-replica-identity", True, "public.item"),
    (NO_KEY, True, "no-replica-identity", False, "public.item"),
    ((KEYED, "alter table keyed replica identity nothing"), False, "no-replica-identity", True, "public.keyed"),
    (
        (
            "create table item (id int not null)",
            "create unique index item_id on item (id)",
            "alter table item replica identity using index item_id",
            "drop index item_id",
        ),
        False,
        "no-replica-identity",
        True,
        "public.item",
    ),
    (
        ("create table d (day int) partition by list (day)", "create table d1 partition of d for values in (1)"),
        False,
        "no-replica-identity",
        True,
        "public.d1",
    ),
    (("create table item (id int, v json)",), False, "no-replica-identity", True, "public.item"),
    (("create table item (id int, v json)",), True, "full-impossible", True, "public.item (json)"),
    (
        ("create table item (p point)", "alter table item replica identity full"),
        False,
        "full-impossible",
        True,
        "public.item (point)",
    ),
    (
        (
            "create domain doc as json",
            "create type pair as (a int, b doc[])",
            "create table item (p pair)",
            "alter table item replica identity full",
        ),
        False,
        "full-impossible",
        True,
        "public.item (public.pair)",
    ),
    (
        ("create table item (id int)", "alter table item replica identity full"),
        False,
        "full-slow",
        False,
        "public.item",
    ),
    (("create table item (id int primary key deferrable)",), False, "deferrable-key", True, "public.item"),
    (("create table item (id int primary key deferrable)",), True, "deferrable-key", False, "public.item"),
    (
        ("create table item (id int, k int primary key generated always as (id) stored)",),
        False,
        "generated-key",
        True,
        "public.item",
    ),
    (
        (
            *TRIGGER,
            "create trigger t after insert on keyed for each row execute function touch()",
            "alter table keyed enable always trigger t",
        ),
        False,
        "always-trigger",
        True,
        "public.keyed: t (ALWAYS)",
    ),
    (
        (
            *TRIGGER,
            "create trigger t before truncate on keyed for each statement execute function touch()",
            "alter table keyed enable replica trigger t",
        ),
        False,
        "always-trigger",
        True,
        "public.keyed: t (REPLICA)",
    ),
    ((*FUNCTION, "alter table keyed add constraint k check (ok(id))"), False, "search-path", False, "constraint k"),
    ((*FUNCTION, "create index i on keyed (id) where ok(id)"), False, "search-path", False, "index public.i"),
    (
        (*FUNCTION, "alter table keyed add column o bool generated always as (ok(id)) stored"),
        False,
        "search-path",
        False,
        "ok(bigint)",
    ),
    ((*FUNCTION, "create domain positive as bigint check (ok(value))"), False, "search-path", False, "positive"),
    ((KEYED, "create materialized view m as select id from keyed"), False, "materialized-view", False, "public.m"),
    (
        ("create table part_config (id int primary key)", "alter extension plpgsql add table part_config"),
        False,
        "stateful-extension",
        False,
        "plpgsql keeps state of its own: public.part_config",
    ),
    ((as_extension("timescaledb"),), False, "stateful-extension", True, "timescaledb"),
    ((as_extension("pglogical"),), False, "stateful-extension", True, "pglogical"),
    ((KEYED, "create publication feed for table keyed"), False, "foreign-publication", False, "feed"),
    ((KEYED, "create publication rotator_g0 for table keyed"), False, "own-leftover", True, "rotator_g0"),
]


@pytest.mark.parametrize(
    ("statements", "full", "code", "blocks", "named"),
    TROUBLES,
    ids=[f"{number} {each[2]}" for number, each in enumerate(TROUBLES)],
)
def test_trouble_of_one_database(
    pg: PgServer, statements: tuple[str, ...], full: bool, code: str, blocks: bool, named: str
) -> None:
    with pg.database(*statements) as name:
        found = findings(pg, name, full=full)
    assert set(found) == {code}
    assert found[code].blocks is blocks
    assert named in found[code].what
    assert name in found[code].what


def test_without_leave_for_full_it_is_said_which_tables_full_would_not_help(pg: PgServer) -> None:
    with pg.database("create table plain (id int)", "create table odd (v xml)") as name:
        fix = findings(pg, name)["no-replica-identity"].fix
    assert "replica_identity_full = true (which does not help public.odd)" in fix


def test_the_statements_that_are_advised_help(pg: PgServer) -> None:
    with pg.database(*NO_KEY, KEYED, "create publication rotator_g0 for table keyed") as name:
        before = findings(pg, name)
        pg.run(name, "alter table item add primary key (id)", 'DROP PUBLICATION "rotator_g0";')
        assert 'DROP PUBLICATION "rotator_g0";' in before["own-leftover"].fix
        assert findings(pg, name) == {}


def test_statement_triggers_and_the_fence_do_not_count(pg: PgServer) -> None:
    with pg.database(
        *TRIGGER,
        "create trigger t after insert on keyed for each statement execute function touch()",
        "alter table keyed enable always trigger t",
        "create trigger rotator_fence before truncate on keyed for each statement execute function touch()",
        "alter table keyed enable always trigger rotator_fence",
    ) as name:
        assert findings(pg, name) == {}


def test_whole_rows_with_a_generated_column_since_18(pg: PgServer) -> None:
    """Up to 17 such a table can be replicated: generated columns are not compared."""
    with pg.database("create table item (id int, twice int generated always as (id * 2) stored)") as name:
        found = findings(pg, name, full=True)
        publisher = pg.rows("postgres", "show server_version_num")[0][0]
    assert set(found) == {"generated-key" if int(publisher) >= 180000 else "no-replica-identity"}


def test_virtual_generated_columns_beside_a_key_are_no_trouble(pg: PgServer) -> None:
    since(pg, 180000)
    with pg.database("create table item (id int primary key, twice int generated always as (id * 2) virtual)") as name:
        assert findings(pg, name) == {}


def test_types_without_equality_are_those_that_the_server_cannot_compare(pg: PgServer) -> None:
    """record_eq looks the operator up as the apply worker does."""
    with pg.database(
        "create type mood as enum ('a')",
        "create type pair as (a int, b mood)",
        "create type odd as (a int, b json)",
        "create type spans as range (subtype = int)",
        "create domain doc as json",
        "create domain docs as doc[]",
        "create domain tag as varchar(3)",
    ) as name:
        types = dict(
            pg.rows(
                name,
                "select oid::int, format_type(oid, null) from pg_type t where typtype in ('b', 'd', 'e', 'r', 'm')"
                " or (typtype = 'c' and exists (select from pg_class c where c.oid = typrelid and relkind = 'c'))",
            )
        )
        with session(pg.target(name), doing="look") as connection:
            ours = {str(row[1]) for row in connection.execute(INCOMPARABLE, [list(types)]).fetchall()}
        with pg.connect(name, autocommit=True) as connection:
            theirs = {kind for kind in types.values() if not comparable(connection, kind)}
    assert {"json", "xml", "point", "public.doc[]"} <= ours
    assert {each.removeprefix("public.") for each in ours} == {each.removeprefix("public.") for each in theirs}
    assert len(types) - len(ours) > 100


def comparable(connection: psycopg.Connection[Any], kind: str) -> bool:
    try:
        connection.execute(f"select record_eq(row(null::{kind}), row(null::{kind}))")
    except psycopg.errors.UndefinedFunction:
        return False
    return True


CRON = (
    "create schema cron",
    "create table cron.job (jobid bigint primary key, command text, active bool)",
    "insert into cron.job values (1, 'a', true), (2, 'b', false), (3, 'c', true)",
    as_extension("pg_cron"),
    "alter extension pg_cron add table cron.job",
)


def test_active_jobs(pg: PgServer) -> None:
    with pg.database(*CRON) as name:
        found = findings(pg, name)
        assert set(found) == {"active-jobs"}
        assert found["active-jobs"].blocks
        assert found["active-jobs"].what.endswith(": 1, 3")
        pg.run(name, found["active-jobs"].fix.split(";")[0])
        assert findings(pg, name) == {}


@pytest.mark.parametrize("may_select", [False, True])
def test_jobs_that_the_user_may_not_see(pg: PgServer, login: str, may_select: bool) -> None:
    """pg_cron's own policy shows each user its own jobs."""
    visible = ("grant usage on schema cron to plain", "grant select on cron.job to plain") if may_select else ()
    with pg.database(
        *CRON,
        *visible,
        "alter table cron.job enable row level security",
        "create policy own on cron.job using (false)",
    ) as name:
        found = findings(pg, name, user=login)["active-jobs"]
        pg.run(name, "drop owned by plain cascade")
    assert found.blocks
    assert "may not see" in found.what
