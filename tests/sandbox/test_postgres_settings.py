"""A database whose defaults are all set against the tool (ALTER DATABASE ... SET): every call gives the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pg_fixture import PgServer
from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import stored_tables
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import shapes_of
from rotator.database.postgres.compare.recheck import recheck
from rotator.database.postgres.compare.verify import verify_online
from rotator.database.postgres.connection import session
from rotator.database.postgres.replication import guard, publish
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.server import PostgresServer
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

NAMES = Names("test-g1")
SHOP = (
    "create table item (id bigint primary key, at timestamptz default now(), span interval, price money, raw bytea,"
    " ratio float8, tags text[], doc xml)",
    "insert into item select i, '2026-01-02 03:04:05.678+02', '1 day -02:03:04', 12.5, '\\x00ff', i / 3.0,"
    " array['a', null], '<a/>' from generate_series(1, 500) i",
    "create table word (k text primary key, v text)",
    r"insert into word select 'back\slash ''quote'' ' || i, 'v' from generate_series(1, 500) i",
    r"create function odd() returns text language sql as 'select ''a\b''::text'",
    "create materialized view total as select count(*) n from item",
    "create schema evil",
    # What a careless search_path would find in place of pg_catalog's.
    "create function evil.sum(numeric) returns numeric language sql as 'select 0::numeric'",
    "create function evil.no(text, text) returns boolean language sql as 'select false'",
    "create operator evil.= (leftarg = text, rightarg = text, function = evil.no)",
    "create operator evil.> (leftarg = text, rightarg = text, function = evil.no)",
)
CHOSEN = {
    "search_path": "evil, public, pg_catalog",
    "datestyle": "SQL, DMY",
    "timezone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "lc_monetary": "C",
    "default_transaction_isolation": "serializable",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "-15",
    "application_name": "customer",
    "session_replication_role": "origin",
    "client_min_messages": "error",
    "default_tablespace": "nowhere",
    "plan_cache_mode": "force_custom_plan",
    "statement_timeout": "2000",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "2000",
    "idle_session_timeout": "2000",
}
LEFT = (
    "log_",
    "debug_",
    "trace_",
    "tcp_",
    "transaction_",
    "max_stack_depth",
    "allow_in_place",
    "plpgsql.",
    "lc_",
    "seed",
)
LEFT_NAMES = {"zero_damaged_pages", "ignore_checksum_failure", "ignore_invalid_pages", "role", "wal_compression"}


def hostile(pg: PgServer, name: str) -> dict[str, str]:
    """A value for every setting that a database may have: booleans turned, the last of a list, the least number."""
    rows = pg.rows(name, "select name, vartype, setting, enumvals, min_val from pg_settings where context in"
                         " ('user', 'superuser') and vartype <> 'string'")  # fmt: skip
    found = {}
    for setting, kind, value, choices, least in rows:
        if setting.lower() in CHOSEN or setting.startswith(LEFT) or setting in LEFT_NAMES:
            continue
        if kind == "bool":
            found[setting] = "off" if value == "on" else "on"
        elif kind == "enum":
            found[setting] = next((each for each in reversed(choices) if each != value), value)
        else:
            found[setting] = least
    known = {row[0].lower() for row in pg.rows(name, "select name from pg_settings")}
    return {**found, **{setting: value for setting, value in CHOSEN.items() if setting in known}}


def everything(target: Target) -> dict[str, Any]:
    """The main calls, and what they give."""
    server, name = PostgresServer(target), target.database
    tables = [table for table in server.tables() if table.database == name]
    opened = publish.open_publications(target, NAMES, strengthen=True)
    with session(target, doing="look") as connection:
        guard.schema_hash(connection)
        every = stored_tables(name, connection)
    try:
        fenced = server.fence("test-g1", 60.0)
        refused = server.probe("inside")
        server.unfence()
        accepted = server.probe("outside")
        report = verify_online(target, target, every, lambda: None, lambda fraction, text: None, chunk_rows=100)
    finally:
        publish.close(target, NAMES, {})
    return {
        "version": server.ping(),
        "tables": sorted(map(str, tables)),
        "schema": {key: value for key, value in server.schema().items() if name in key and "settings of" not in key},
        "sums": {str(table): server.checksum(table, lambda fraction, text: None) for table in tables},
        "sequences": server.counters(),
        "extensions": server.extensions(),
        "opened": opened.tables,
        "fenced": (fenced.on, refused, accepted, server.has_probe("outside")),
        "report": (report.differences, {key: (each.rows, each.digest) for key, each in report.tables.items()}),
        "preflight": {finding.code for finding in server.preflight()},
        "replicate": {f.code for f in server.preflight_replicate("test-g1", strengthen=True)}
        - {"apply-settings", "apply-limits"},
    }


@pytest.fixture(scope="module")
def shop(pg: PgServer) -> Iterator[str]:
    with pg.database(*SHOP) as name:
        yield name


def test_every_call_gives_the_same_whatever_the_database_has_as_defaults(pg: PgServer, shop: str) -> None:
    before = everything(pg.target(shop))
    settings = hostile(pg, shop)
    assert len(settings) > 80
    assert {"standard_conforming_strings", "array_nulls", "exit_on_error", "enable_indexscan"} <= set(settings)
    with pg.connect("postgres", autocommit=True) as admin:
        for setting, value in settings.items():
            admin.execute(sql.SQL("alter database {} set {} = {}").format(
                sql.Identifier(shop), sql.Identifier(setting), sql.Literal(value)))  # fmt: skip
    after = everything(pg.target(shop))
    with session(pg.target(shop), doing="look") as connection:
        kept = dict(connection.execute("select name, setting from pg_settings").fetchall())
    assert {name: kept[name] for name in ("statement_timeout", "lock_timeout", "array_nulls", "search_path")} == {
        **{"statement_timeout": "0", "lock_timeout": "0", "array_nulls": "on"},
        "search_path": '"pg_catalog", "pg_temp"',
    }
    probed = ("fenced", (True, ("blue", False), ("blue", True), True))
    assert dict([probed]).items() <= before.items()
    # The probe is an ordinary client: to it, a database that is read-only by default takes no writes.
    assert after == {**before, "fenced": (True, ("blue", False), ("blue", False), True)}


@pytest.mark.parametrize(
    ("setting", "code", "blocks"),
    [
        ("array_nulls = off", "apply-settings", True),
        ("xmloption = document", "apply-settings", True),
        ("lock_timeout = '5s'", "apply-limits", False),
    ],
)
def test_what_an_apply_worker_would_inherit_is_a_finding(pg: PgServer, setting: str, code: str, blocks: bool) -> None:
    with pg.database("create table item (id int primary key, tags text[], doc xml)") as name:
        before = PostgresServer(pg.target()).preflight_replicate("r", strengthen=True)
        pg.run("postgres", f"alter database {name} set {setting}")
        found = PostgresServer(pg.target()).preflight_replicate("r", strengthen=True)
    assert not [finding for finding in before if finding.code == code and name in finding.what]
    assert [finding.blocks for finding in found if finding.code == code and name in finding.what] == [blocks]


@pytest.mark.parametrize("extension", ["ltree", "citext"])
def test_a_key_whose_operators_are_an_extensions_is_compared_by_them(pg: PgServer, extension: str) -> None:
    """Ranges, the first of some rows, and (through small ranges) rows one by one; also as one part of a longer key."""
    with pg.database(
        "create schema ext",
        f"create extension {extension} schema ext",
        f"create domain ext.path as ext.{extension}",
        f"create table node (path ext.{extension} primary key, v int)",
        "create table mixed (a int, path ext.path, b text, v int, primary key (a, path, b))",
        f"insert into node select ('Top.n' || i)::ext.{extension}, 0 from generate_series(1, 3000) i",
        f"insert into mixed select i % 3, ('top.N' || i)::ext.{extension}, 'b', 0 from generate_series(1, 900) i",
    ) as name:
        target = pg.target(name)
        with session(target, doing="look") as connection:
            tables = stored_tables(name, connection)
        report = verify_online(target, target, tables, lambda: None, lambda fraction, text: None, chunk_rows=100)
        assert report.differences == ()
        assert {key: each.rows for key, each in report.tables.items()} == {f"{name}.public.mixed": 900,
                                                                           f"{name}.public.node": 3000}  # fmt: skip
        unsettled = tuple(_halves(name, "node", ("path",), ("Top.n200",)) + _halves(name, "mixed", ("a", "path", "b"),
                                                                              ("1", "top.N400", "b")))  # fmt: skip
        with session(target, doing="look") as connection, session(target, doing="look") as other:
            assert recheck({name: connection}, {name: other}, unsettled, time.monotonic() + 20) == ()
            shapes = shapes_of(connection, [("public", "node"), ("public", "mixed")])
            for table, whole in (("node", 3000), ("mixed", 900)):
                parts = [chunk for chunk in unsettled if chunk.table == table]
                counts = [connection.execute(shapes["public", table].contents(part)).fetchone() for part in parts]
                assert sum(int(count[0]) for count in counts if count) == whole
                assert all(count and 0 < int(count[0]) < whole for count in counts)


def _halves(database: str, table: str, key: tuple[str, ...], middle: tuple[str, ...]) -> list[Chunk]:
    return [Chunk(database, "public", table, key, None, middle), Chunk(database, "public", table, key, middle, None)]


ASCII = "encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0"


def test_a_database_in_sql_ascii_with_bytes_that_are_not_utf8(pg: PgServer) -> None:
    """In keys, in names, in both: compared, fenced, fingerprinted."""
    pg.run("postgres", f"create database old {ASCII}")
    try:
        with pg.connect("old", autocommit=True, client_encoding="LATIN1") as connection:
            for statement in (
                "create table w (k text primary key, v int)",
                "insert into w select E'\\xe9' || i, i from generate_series(1, 600) i",
                "create table w2 (a text, b int, v int, primary key (a, b))",
                "insert into w2 select E'\\xff\\xfe', i, i from generate_series(1, 600) i",
                "create table caf\xe9 (\xe9t\xe9 text primary key)",
                "insert into caf\xe9 values (E'\\xe9')",
                "create sequence s\xe9q",
            ):
                connection.execute(statement)
        everything(pg.target("old"))
        with session(pg.target("old"), doing="look") as connection:
            tables = stored_tables("old", connection)
        target = pg.target("old")
        report = verify_online(target, target, tables, lambda: None, lambda fraction, text: None, chunk_rows=100)
        assert {name: each.rows for name, each in report.tables.items()} == {
            **{"old.public.w": 600, "old.public.w2": 600},
            'old.public."caf\xe9"': 1,
        }
        assert 'old.public."s\xe9q"' in PostgresServer(target).counters()
    finally:
        pg.run("postgres", "drop database old with (force)")


def test_text_that_is_not_text_is_an_error_in_words(pg: PgServer) -> None:
    """A byte that the database's encoding does not know, as a client in that encoding may store it."""
    pg.run("postgres", "create database win encoding 'WIN1252' lc_collate 'C' lc_ctype 'C' template template0")
    try:
        with pg.connect("win", autocommit=True, client_encoding="SQL_ASCII") as connection:
            connection.execute(b"create table w (k text primary key)")
            connection.execute(b"insert into w values ('\x81')")
        with pytest.raises(DatabaseError) as caught, session(pg.target("win"), doing="read") as connection:
            connection.execute("select k from public.w")
        assert "UTF8" in caught.value.fix, caught.value.why
    finally:
        pg.run("postgres", "drop database win with (force)")
