"""Two tables whose 'database.schema.table' would be one text, on two servers: a difference in either is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pg_fixture import PgServer, running_server

from rotator.database.compare import compare_schema, compare_sequences
from rotator.database.postgres.compare.verify import verify_online
from rotator.database.postgres.replication import publish
from rotator.database.postgres.server import PostgresServer

pytestmark = pytest.mark.postgres

NAME = "dotted"
SCHEMA = (
    "create schema a",
    'create schema "a.b"',
    'create table a."b.c" (id int primary key, v text)',
    'create table "a.b".c (id int primary key, v text)',
    'create table a."b c" (id int)',
    "create function \"a.b\".f(int) returns int language sql as 'select 1'",
    "create function a.\"b.f\"(int) returns int language sql as 'select 1'",
    'create sequence a."b.s"',
    'create sequence "a.b".s',
    "insert into a.\"b.c\" select i, 'x' from generate_series(1, 100) i",
    "insert into \"a.b\".c select i, 'x' from generate_series(1, 100) i",
)
TABLES = {'dotted.a."b.c"', 'dotted."a.b".c', 'dotted.a."b c"'}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PgServer, PgServer]]:
    with running_server() as blue, running_server() as green:
        for server in (blue, green):
            server.run("postgres", f"create database {NAME}")
            server.run(NAME, *SCHEMA)
        yield blue, green


@pytest.mark.parametrize("table", ['a."b.c"', '"a.b".c'])
def test_a_difference_in_either_of_two_dotted_tables_is_seen(servers: tuple[PgServer, PgServer], table: str) -> None:
    blue, green = servers
    tables = [each for each in PostgresServer(blue.target()).tables() if each.database == NAME]
    assert {str(each) for each in tables} == TABLES
    green.run(NAME, f"update {table} set v = 'wrong' where id = 5")
    try:
        report = verify_online(
            blue.target(NAME), green.target(NAME), tables, lambda: None, lambda fraction, text: None, chunk_rows=30
        )
    finally:
        green.run(NAME, f"update {table} set v = 'x' where id = 5")
    assert set(report.tables) == TABLES
    assert len(report.differences) == 1
    assert f"{NAME}.{table}" in report.differences[0]


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("alter table {} add extra int", "alter table {} drop extra"),
        ("comment on table {} is 'x'", "comment on table {} is null"),
    ],
)
@pytest.mark.parametrize("table", ['a."b.c"', '"a.b".c'])
def test_a_changed_definition_of_either_is_seen(
    servers: tuple[PgServer, PgServer], table: str, change: str, back: str
) -> None:
    blue, green = (PostgresServer(server.target()) for server in servers)
    servers[1].run(NAME, change.format(table))
    try:
        found = compare_schema(blue.schema(), green.schema())
    finally:
        servers[1].run(NAME, back.format(table))
    assert len(found) == 1
    assert f"{NAME}.{table}" in found[0]


def test_functions_and_sequences_keep_apart_too(servers: tuple[PgServer, PgServer]) -> None:
    blue, green = (PostgresServer(server.target()) for server in servers)
    keys = blue.schema()
    assert {'function dotted.a."b.f"(integer)', 'function dotted."a.b".f(integer)'} <= set(keys)
    assert {'dotted.a."b.s"', 'dotted."a.b".s'} <= set(blue.counters())
    servers[0].run(NAME, "select nextval('a.\"b.s\"'), nextval('a.\"b.s\"')")
    assert len(compare_sequences(blue.counters(), green.counters())) == 1
    assert green.raise_counters(blue.counters()) == ('dotted.a."b.s"',)


def test_identities_are_kept_by_table(servers: tuple[PgServer, PgServer]) -> None:
    assert publish.without_identity(servers[0].target()) == {'dotted.a."b c"': "d"}
