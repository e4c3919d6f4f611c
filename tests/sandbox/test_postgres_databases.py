"""Every database that can be written to takes part in a rotation: templates, and those without a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from replication_pair import Pair, running_pair

from rotator.database.compare import compare_schema
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets, Passed
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

NOW = Budgets(calm=0.0, fence=5.0, drain=10.0, recheck=5.0, counters=5.0)


def nothing(*_: object) -> None:
    """No progress is shown."""


def within(pair: Pair, database: str, *statements: str, side: str = "blue") -> list[tuple[object, ...]]:
    """What the last statement gives."""
    with pair.connect(getattr(pair, side), dbname=database) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with running_pair("create table item (id bigserial primary key)", superuser=True) as made:
        made.run("create database tickets", "create database tenant", "create database closed")
        within(made, "tickets", "create sequence ticket", "select nextval('ticket') from generate_series(1, 100)")
        within(made, "tenant", "create table plan (id int primary key, v text)", "insert into plan values (1, 'old')")
        within(made, "closed", "create table old (id int primary key)")
        made.run(
            "alter database tenant is_template true", "alter database closed is_template true allow_connections false"
        )
        made.open()
        made.follow()
        yield made


def flip(pair: Pair, meanwhile: str = "") -> Passed:
    with pair.forward.window(NOW, (), retain_back=True) as window:
        window.prepare(nothing, nothing)
        if meanwhile:
            pair.run(meanwhile)
        return window.run()


def test_which_databases_there_are(pair: Pair) -> None:
    assert databases(pair.source) == ("postgres", "shop", "tenant", "tickets")
    within(pair, "template1", "create sequence everywhere")
    assert "template1" in databases(pair.source)
    within(pair, "template1", "drop sequence everywhere")


def test_one_that_takes_no_connections_is_named(pair: Pair) -> None:
    found = {finding.code: finding for finding in PostgresServer(pair.source).preflight()}
    assert "closed" in found["database-closed"].what
    assert not found["database-closed"].blocks


def test_a_template_that_a_slot_holds_is_named(pair: Pair) -> None:
    found = PostgresServer(pair.source).preflight_replicate("local-g1", strengthen=False)
    named = [finding.what for finding in found if finding.code == "template-database"]
    assert len(named) == 1
    assert "tenant" in named[0]


def test_ddl_is_recorded_where_there_is_no_table(pair: Pair) -> None:
    within(pair, "tickets", "create table first_one (id int primary key)")
    assert any("first_one" in line for line in pair.forward.ddl())
    assert pair.forward.not_carried() == ("tickets.public.first_one",)
    with pytest.raises(DatabaseError) as caught:
        flip(pair)
    assert caught.value.code == "validate-schema"
    within(pair, "tickets", "drop table first_one")


def test_one_that_was_opened_and_shut_again_is_another(pair: Pair) -> None:
    sides = PostgresServer(pair.source), PostgresServer(pair.target)
    assert compare_schema(*(side.schema() for side in sides)) == ()
    with pytest.raises(DatabaseError) as caught:
        flip(pair, "alter database closed allow_connections true")
    assert caught.value.code == "validate-schema"
    within(pair, "closed", "insert into old values (1)")
    pair.run("alter database closed allow_connections false")
    assert compare_schema(*(side.schema() for side in sides)) == ("database closed: the definitions differ",)


def test_one_that_was_made_since_is_seen(pair: Pair) -> None:
    with pytest.raises(DatabaseError) as caught:
        flip(pair, "create database late template template0")
    assert caught.value.code == "validate-schema"
    assert "late" in str(compare_schema(PostgresServer(pair.source).schema(), PostgresServer(pair.target).schema()))
    pair.run("drop database late")


def test_writes_and_numbers_of_every_database_move(pair: Pair) -> None:
    """Last, as it flips."""
    within(pair, "tenant", "update plan set v = 'after'")
    (drawn,) = within(pair, "tickets", "select max(nextval('ticket')) from generate_series(1, 5000)")
    flip(pair)
    assert within(pair, "tenant", "table plan", side="green") == [(1, "after")]
    assert within(pair, "tickets", "select nextval('ticket')", side="green")[0] > drawn
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        within(pair, "tenant", "insert into plan values (2, 'in the window')")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        within(pair, "tickets", "create table too_late ()")
    within(pair, "tenant", "insert into plan values (2, 'on green')", side="green")


def test_the_fence_of_strategy_snapshot_covers_them_too() -> None:
    with running_pair("create table item (id int primary key)", superuser=True) as made:
        made.run("create database tickets", "create database tenant is_template true")
        within(made, "tickets", "create sequence ticket")
        within(made, "tenant", "create table plan (id int primary key)")
        server = PostgresServer(replace(made.source))
        assert server.fence("local-g1", 10.0).on
        for database, statement in (("tickets", "create table t ()"), ("tenant", "insert into plan values (1)")):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                within(made, database, statement)
        server.forget()
        assert within(made, "tickets", "select from pg_namespace where nspname = 'rotator'") == []
        within(made, "tickets", "create table t ()")
