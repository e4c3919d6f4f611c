from collections.abc import Iterator

import pytest
from pg_fixture import PgServer

from rotator.database.postgres.compare.checksum import checksum
from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import Table, TableDigest
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def db(pg: PgServer) -> Iterator[str]:
    with pg.database(
        "create type mood as enum ('glad', 'sad')",
        "create type pair as (x numeric, y text)",
        "create domain price as numeric",
    ) as name:
        yield name


def digest(pg: PgServer, name: str, table: str) -> TableDigest:
    return PostgresServer(pg.target(name)).checksum(Table(name, "public", table), lambda fraction, text: None)


EXTRA = {
    "citext": ("create extension if not exists citext",),
    "label": ("create extension if not exists citext", "create domain label as citext"),
    'text collate "anycase"': (
        "create collation anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    ),
}
"""Type -> what it needs, where the build has it."""

PAIRS = [
    ("boolean", "true", "false"),
    ("smallint", "1", "2"),
    ("integer", "1", "-1"),
    ("bigint", "0", "4294967297"),
    ("numeric", "1.0", "1.00"),
    ("numeric", "'NaN'", "0"),
    ("float4", "0", "'-0'"),
    ("float8", "0", "'-0'"),
    ("float8", "0.1", "0.1 + 1e-17 + 1.5e-17"),
    ("text", "'a'", "'A'"),
    ("text", "''", "null"),
    ("varchar(9)", "'a'", "'a '"),
    ("char(3)", "'a'", "'b'"),
    ("bpchar", "'a'", "'a '"),
    ('"char"', "'a'", "'b'"),
    ("name", "'a'", "'b'"),
    ('text collate "anycase"', "'a'", "'A'"),
    ("citext", "'a'", "'A'"),
    ("label", "'a'", "'A'"),
    ("price", "1.0", "1.00"),
    ("bytea", r"'\x00'", r"'\x0000'"),
    ("uuid", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"),
    ("date", "'2024-02-29'", "'2024-03-01'"),
    ("time", "'00:00'", "'24:00'"),
    ("timetz", "'12:00+00'", "'13:00+01'"),
    ("timestamp", "'2024-01-01'", "'2024-01-01 00:00:00.000001'"),
    ("timestamptz", "'infinity'", "'-infinity'"),
    ("interval", "'24 hours'", "'1 day'"),
    ("money", "1", "2"),
    ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    ("jsonb", """'{"a":1.0}'""", """'{"a":1.00}'"""),
    ("xml", "'<a/>'", "'<b/>'"),
    ("int[]", "'{1,2}'", "'{2,1}'"),
    ("int[]", "'{1,null}'", "'{1}'"),
    ("int[]", "'[0:1]={1,2}'", "'{1,2}'"),
    ("numeric[]", "'{1.0}'", "'{1.00}'"),
    ("text[]", "'{null}'", "array['null']"),
    ("int4range", "'[1,2)'", "'[1,3)'"),
    ("numrange", "'[1.0,2)'", "'[1.00,2)'"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("box", "'(1,1),(0,0)'", "'(1,2),(0,0)'"),
    ("inet", "'10.0.0.1/8'", "'10.0.0.1/16'"),
    ("cidr", "'10.0.0.0/8'", "'10.0.0.0/16'"),
    ("macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
    ("bit(3)", "B'101'", "B'100'"),
    ("varbit", "B'1'", "B'10'"),
    ("tsvector", "'a:1'", "'a:2'"),
    ("tsquery", "'a & b'", "'a | b'"),
    ("pg_lsn", "'0/1'", "'0/2'"),
    ("oid", "1", "2"),
    ("regclass", "'pg_class'", "'pg_proc'"),
    ("mood", "'glad'", "'sad'"),
    ("pair", "row(1.0,'x')", "row(1.00,'x')"),
]


@pytest.mark.parametrize(("kind", "one", "other"), PAIRS, ids=[f"{p[0]} {p[1]} {p[2]}" for p in PAIRS])
def test_one_changed_value_is_found(pg: PgServer, db: str, kind: str, one: str, other: str) -> None:
    pg.run(
        db,
        *EXTRA.get(kind, ()),
        "drop table if exists a, b",
        f"create table a (id int, v {kind})",
        f"create table b (id int, v {kind})",
        f"insert into a values (1, {one}), (2, {one})",
        f"insert into b values (1, {one}), (2, {other})",
    )
    before, after = digest(pg, db, "a"), digest(pg, db, "b")
    assert (before.rows, after.rows) == (2, 2)
    assert before.digest != after.digest
    pg.run(db, f"update b set v = {one}")
    assert digest(pg, db, "b") == before


def test_values_swapped_between_rows_are_found(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        "drop table if exists a, b",
        "create table a (x int, y text)",
        "create table b (x int, y text)",
        "insert into a values (1, 'a'), (2, 'b')",
        "insert into b values (1, 'b'), (2, 'a')",
    )
    assert digest(pg, db, "a").digest != digest(pg, db, "b").digest


def test_a_doubled_row_for_a_lost_one_is_found(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        "drop table if exists a, b",
        "create table a as select i from generate_series(1, 4) i",
        "create table b as select unnest(array[1, 1, 4, 4]) i",
    )
    assert digest(pg, db, "a").digest != digest(pg, db, "b").digest


def test_physical_order_and_dead_rows_do_not_matter(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        "drop table if exists a, b",
        "create table a (junk int, x int, y text)",
        "insert into a select 0, i, 'row ' || i from generate_series(1, 5000) i",
        "delete from a where x % 2 = 0",
        "alter table a drop column junk",
        "create table b as select x, y from a order by random()",
    )
    assert digest(pg, db, "a") == digest(pg, db, "b")
    assert digest(pg, db, "a").rows == 2500


def test_chunk_size_does_not_matter_and_each_chunk_reports(
    pg: PgServer,
    db: str,
) -> None:
    pg.run(
        db, "drop table if exists a", "create table a as select i, repeat('x', 200) t from generate_series(1, 20000) i"
    )
    whole = digest(pg, db, "a")
    seen: list[float] = []
    table = Table(db, "public", "a")
    assert checksum(pg.target(db), table, lambda fraction, text: seen.append(fraction), limits=(7, 7)) == whole
    assert len(seen) > 50
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_chunks_are_range_scans(pg: PgServer, db: str) -> None:
    if pg.rows(db, "show server_version_num")[0][0] < "140000":
        pytest.skip("PostgreSQL 13 has no range scan of ctid")
    pg.run(db, "drop table if exists a", "create table a as select i from generate_series(1, 20000) i", "analyze a")
    with pg.connect(db) as connection:
        connection.execute("set enable_seqscan = off")
        plan = connection.execute(
            "explain select count(*) from only a t where t.ctid >= '(10,0)'::tid and t.ctid < '(20,0)'::tid"
        ).fetchall()
    assert "Tid Range Scan" in str(plan)


def test_empty_table_and_table_without_columns(pg: PgServer, db: str) -> None:
    pg.run(
        db, "drop table if exists a, b", "create table a (i int)", "create table b ()", "insert into b default values"
    )
    assert digest(pg, db, "a") == TableDigest(0, "record-1:0")
    assert digest(pg, db, "b").rows == 1


def test_hostile_names(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        'create table "Odd ""name"" %s; --" ("a b" int, "SELECT" text, "per%cent" numeric)',
        """insert into "Odd ""name"" %s; --" values (1, 'x', 1.5)""",
    )
    assert digest(pg, db, 'Odd "name" %s; --').rows == 1


def test_inherited_rows_are_not_counted_twice(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        "create table parent (i int)",
        "create table child () inherits (parent)",
        "insert into parent values (1)",
        "insert into child values (2)",
    )
    assert (digest(pg, db, "parent").rows, digest(pg, db, "child").rows) == (1, 1)


def test_a_policy_is_an_error_and_never_a_filter(pg: PgServer, db: str) -> None:
    pg.run(
        db,
        f"create role reader login password '{pg.password}'",
        "create table guarded as select 1 i",
        "alter table guarded enable row level security",
        "grant select on guarded to reader",
        "grant usage on schema public to reader",
    )
    server = PostgresServer(pg.target(db, user="reader"))
    with pytest.raises(DatabaseError, match="guarded"):
        server.checksum(Table(db, "public", "guarded"), lambda fraction, text: None)


def test_tables_lists_partitions_and_populated_matviews_only(pg: PgServer) -> None:
    with pg.database(
        "create table p (i int) partition by range (i)",
        "create table p1 partition of p for values from (0) to (9)",
        "create materialized view full_one as select 1 x",
        "create materialized view empty_one as select 1 x with no data",
        "create view v as select 1 x",
        "create temp table t (i int)",
    ) as name:
        found = [t.name for t in PostgresServer(pg.target(name)).tables() if t.database == name]
    assert found == ["full_one", "p1"]
