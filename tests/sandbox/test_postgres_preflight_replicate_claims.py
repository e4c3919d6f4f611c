"""What the findings of strategy replicate claim is true: PostgreSQL itself refuses, or stops to apply, or does not.

Both sides are databases of one server: a slot that is made before its subscription allows that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from pg_fixture import PgServer
from pg_writers import reached

from rotator.database.postgres.preflight.replicate import replicate_findings

pytestmark = [pytest.mark.postgres, pytest.mark.matrix]

LOG = "create table log (id int primary key default (random() * 2000000000)::int, what text)"
"""Random numbers: green's own notes must not collide with those that come from blue."""
NOTE = """create function note() returns trigger language plpgsql as
  'begin insert into public.log (what) values (tg_op); return new; end'"""
KEYED = "create table t (id int primary key, v int)"


@dataclass(frozen=True)
class Pair:
    server: PgServer
    blue: str
    green: str

    @property
    def stopped(self) -> bool:
        """Whether green's apply worker has met an error."""
        return bool(
            self.server.rows(
                self.green,
                f"select 1 from pg_stat_subscription_stats where subname = 's_{self.blue}' and apply_error_count > 0",
            )
        )

    @property
    def caught_up(self) -> bool:
        return bool(self.server.rows(self.green, "select 1 from sentinel"))


@contextmanager
def pair(pg: PgServer, *statements: str) -> Iterator[Pair]:
    """Two equal databases; what is published in the one is applied in the other."""
    both = (*statements, "create table sentinel (i int primary key)")
    with pg.database(*both) as blue, pg.database(*both) as green:
        name = f"s_{blue}"
        pg.run(
            blue,
            f"create publication {name} for all tables",
            f"select pg_create_logical_replication_slot('{name}', 'pgoutput')",
        )
        try:
            pg.run(
                green,
                f"create subscription {name} connection 'host=127.0.0.1 port={pg.port} user=postgres"
                f" password={pg.password} dbname={blue}' publication {name}"
                " with (create_slot = false, copy_data = false)",
            )
            yield Pair(pg, blue, green)
            pg.run(
                green,
                f"alter subscription {name} disable",
                f"alter subscription {name} set (slot_name = none)",
                f"drop subscription {name}",
            )
        finally:
            unused = f"select 1 from pg_replication_slots where slot_name = '{name}' and not active"
            assert reached(lambda: bool(pg.rows(blue, unused)))
            pg.run(blue, f"select pg_drop_replication_slot('{name}')")


def codes(pg: PgServer, name: str) -> set[str]:
    """Without the trial's own publication."""
    found = replicate_findings(pg.target(name), strengthen=False)
    return {each.code for each in found} - {"foreign-publication"}


REFUSED_ON_BLUE = [
    ("create table t (id int, v int)", "no-replica-identity"),
    ("create table t (id int primary key deferrable, v int)", "deferrable-key"),
]


@pytest.mark.parametrize(("table", "code"), REFUSED_ON_BLUE)
def test_blue_refuses_updates(pg: PgServer, table: str, code: str) -> None:
    with pg.database(table, "insert into t values (1, 1)") as name:
        pg.run(name, "update t set v = 2", "create publication p for table t")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="replica identity"):
            pg.run(name, "update t set v = 3")
        assert codes(pg, name) == {code}
        pg.run(name, "alter table t replica identity full", "update t set v = 3")


@pytest.mark.parametrize(
    "statements",
    [
        ("create table t (id int, g int primary key generated always as (id) stored)",),
        ("create table t (id int, g int generated always as (id) stored)", "alter table t replica identity full"),
    ],
)
def test_generated_columns_in_the_identity(pg: PgServer, statements: tuple[str, ...]) -> None:
    """Since PostgreSQL 18 on blue; before, whole rows are fine, and a generated key stops the apply worker."""
    with pair(pg, *statements, "insert into t (id) values (1)") as made:
        before = codes(pg, made.blue)
        if int(pg.rows("postgres", "show server_version_num")[0][0]) >= 180000:
            with pytest.raises(psycopg.Error, match="cannot update table"):
                pg.run(made.blue, "update t set id = 2")
            assert before == {"generated-key"}
        else:
            pg.run(made.blue, "update t set id = 2", "insert into sentinel values (1)")
            assert reached(lambda: made.stopped or made.caught_up)
            assert before == ({"generated-key"} if made.stopped else {"full-slow"})


FUNCTION = (
    "create table other (i int primary key)",
    "create function ok(i int) returns bool language plpgsql immutable as"
    " 'begin return i > 0 or exists (select from other); end'",
)

STOPS = [
    (
        ("create table t (id int, v json)", "alter table t replica identity full", "insert into t values (1, '{}')"),
        "update t set id = 2",
        "full-impossible",
    ),
    (
        (
            "create domain doc as json",
            "create table t (id int, v doc)",
            "alter table t replica identity full",
            "insert into t values (1, '{}')",
        ),
        "delete from t",
        "full-impossible",
    ),
    ((*FUNCTION, KEYED, "alter table t add check (ok(v))"), "insert into t values (1, 1)", "search-path"),
    ((*FUNCTION, KEYED, "create index on t (id) where ok(v)"), "insert into t values (1, 1)", "search-path"),
    (
        (*FUNCTION, KEYED, "alter table t add g bool generated always as (ok(v)) stored"),
        "insert into t values (1, 1)",
        "search-path",
    ),
]


@pytest.mark.parametrize(("statements", "change", "code"), STOPS)
def test_apply_stops(pg: PgServer, statements: tuple[str, ...], change: str, code: str) -> None:
    with pair(pg, *statements) as made:
        assert codes(pg, made.blue) == {code}
        pg.run(made.blue, change, "insert into sentinel values (1)")
        assert reached(lambda: made.stopped)
        assert not made.caught_up


# (what is made beside the tables, whether it counts, its notes on blue and on green after one insert and a truncate)
TRIGGERS = [
    ("create trigger z after insert on t for each row execute function note()", "always", True, (1, 2)),
    ("create trigger z after insert on t for each row execute function note()", "replica", True, (0, 1)),
    ("create trigger z before truncate on t for each statement execute function note()", "always", True, (1, 2)),
    ("create trigger z after insert on t for each statement execute function note()", "always", False, (1, 1)),
    ("create rule z as on insert to t do also insert into public.log (what) values ('rule')", "always", False, (1, 1)),
]


@pytest.mark.parametrize(("make", "mode", "counts", "notes"), TRIGGERS)
def test_what_fires_at_apply(pg: PgServer, make: str, mode: str, counts: bool, notes: tuple[int, int]) -> None:
    kind = make.split()[1]
    with pair(pg, LOG, KEYED, NOTE, make, f"alter table t enable {mode} {kind} z") as made:
        assert ("always-trigger" in codes(pg, made.blue)) is counts
        pg.run(made.blue, "insert into t values (1, 1)", "truncate t", "insert into sentinel values (1)")
        assert reached(lambda: made.caught_up)
        count = "select count(*) from log"
        assert (pg.rows(made.blue, count)[0][0], pg.rows(made.green, count)[0][0]) == notes


def test_the_apply_worker_takes_what_has_no_finding(pg: PgServer) -> None:
    """A deferrable constraint beside the key, whole rows with a key and json, leaves with keys of their own."""
    with pair(
        pg,
        "create table a (id int primary key, rank int unique deferrable)",
        "insert into a values (1, 1), (2, 2), (3, 3)",
        "create table b (id int primary key, v json)",
        "alter table b replica identity full",
        """insert into b values (1, '{}'), (2, '{}')""",
        "create table c (id int, part int) partition by list (part)",
        "create table c1 partition of c (primary key (id)) for values in (1)",
        "create table c2 partition of c (primary key (id)) for values in (2)",
        "insert into c values (1, 1), (2, 2)",
    ) as made:
        assert codes(pg, made.blue) == set()
        pg.run(
            made.blue,
            "update a set rank = rank + 1",
            "update b set v = '[]' where id = 1",
            "delete from b where id = 2",
            "update c set id = id + 10",
            "update c set part = 2 where part = 1",
            "insert into sentinel values (1)",
        )
        assert reached(lambda: made.caught_up)
        for table in ("a", "b", "c"):
            rows = f"select t::text from {table} t order by 1"
            assert pg.rows(made.green, rows) == pg.rows(made.blue, rows)


def test_a_slot_waits_for_writers_in_any_database(pg: PgServer) -> None:
    with pg.database(KEYED) as name, pg.connect(name) as client:
        client.execute("insert into t values (1, 1)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            pg.run(
                "postgres",
                "set statement_timeout = '500ms'; select pg_create_logical_replication_slot('w', 'pgoutput')",
            )
        found = replicate_findings(pg.target(), strengthen=False, open_seconds=0)
        assert [each.code for each in found] == ["long-open-transaction"]
        assert not pg.rows("postgres", "select 1 from pg_replication_slots where slot_name = 'w'")
