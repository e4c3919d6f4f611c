"""Whoever reads the journal, a CI log or a crash file, and is no reader of the database: they must learn no row of it.

They gain keys, values and statements wherever the server's words, or another session's, are handed on as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from pg_fixture import PgServer, running_server

from rotator.crash import crash_text
from rotator.database.postgres.connection import session
from rotator.database.postgres.replication.apply_log import apply_errors, apply_keys
from rotator.database.postgres.window.covering import who
from rotator.domain.errors import DatabaseError
from rotator.report.errors import error_json, render_error

SECRET = "canary-4111-1111"
PREFIX = "2026-01-01 00:00:00 UTC::@:[77]:"
STARTED = f'{PREFIX}LOG:  logical replication apply worker for subscription "rotator_local_g1_5" has started'
OURS = 'processing remote data for replication origin "pg_16402" during message type "INSERT" for replication target'
CONTEXT = f'{PREFIX}CONTEXT:  {OURS} relation "public.item" in transaction 734, finished at 0/14C0378'


@pytest.fixture(scope="module")
def pg() -> Iterator[PgServer]:
    with running_server() as server:
        yield server


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        f"select '{SECRET}'::int",
        f"select ('{SECRET}'::text)::date",
        f"select '{{\"card\": {SECRET}'::jsonb",
        f"do $$ begin raise exception 'row % is refused', '{SECRET}'; end $$",
        f"do $$ begin raise insufficient_privilege using message = 'no right to {SECRET}'; end $$",
        f"do $$ begin execute 'select \"{SECRET}\"'; end $$",
        f'select "{SECRET}" from',
        f'select 1 "{SECRET}" "{SECRET}"',
    ],
)
def test_a_failing_statement_tells_no_value(pg: PgServer, statement: str) -> None:
    """A user makes a statement of the tool fail on a row of theirs (a cast, a trigger, a check that raises)."""
    with (
        pytest.raises(DatabaseError) as caught,
        session(pg.target("postgres"), doing="compare") as connection,
    ):
        connection.execute(statement)  # type: ignore[call-overload]
    assert SECRET not in caught.value.why
    assert "SQLSTATE" in caught.value.why


@pytest.mark.postgres
@pytest.mark.parametrize("statement", ["select * from nowhere", "select nothing()"])
def test_what_quotes_no_value_is_still_told(pg: PgServer, statement: str) -> None:
    with (
        pytest.raises(DatabaseError) as caught,
        session(pg.target("postgres"), doing="compare") as connection,
    ):
        connection.execute(statement)  # type: ignore[call-overload]
    assert "does not exist" in caught.value.why


@pytest.mark.parametrize(
    "lines",
    [
        [
            f'{PREFIX}ERROR:  duplicate key value violates unique constraint "item_pkey"',
            f"{PREFIX}DETAIL:  Key (email)=({SECRET}) already exists.",
        ],
        [f'{PREFIX}ERROR:  invalid input syntax for type integer: "{SECRET}"'],
        [f"{PREFIX}ERROR:  the trigger does not like {SECRET}"],
        [
            f'{PREFIX}ERROR:  conflict detected on relation "public.item": conflict=insert_exists',
            f'{PREFIX}DETAIL:  Key already exists in unique index "item_pkey", modified in transaction 740.',
            f"\tKey (email)=({SECRET}); existing local row (1, {SECRET}); remote row (2, {SECRET}).",
        ],
    ],
)
def test_a_change_that_cannot_be_applied_tells_no_key(lines: list[str]) -> None:
    """A reader of the journal or of --json: the server's log quotes the rows of a conflict, and their keys."""
    found = apply_errors([STARTED, *lines, CONTEXT])
    assert found, "it must be noticed all the same"
    assert SECRET not in " ".join(found)
    assert any("public.item" in line for line in found)


def test_a_context_of_several_lines_is_an_apply_error_and_hides_its_statement() -> None:
    lines = [
        f"{PREFIX}ERROR:  the trigger does not like {SECRET}",
        f"{PREFIX}CONTEXT:  SQL statement \"insert into other values ('{SECRET}')\"",
        f'\t{OURS} relation "public.item" in transaction 734, finished at 0/14C0378',
    ]
    found = apply_errors([STARTED, *lines])
    assert any("public.item" in line for line in found)
    assert SECRET not in " ".join(found)


def test_the_key_is_there_for_a_terminal() -> None:
    duplicate = f'{PREFIX}ERROR:  duplicate key value violates unique constraint "item_pkey"'
    detail = f"{PREFIX}DETAIL:  Key (email)=({SECRET}) already exists."
    assert apply_keys([STARTED, duplicate, detail, CONTEXT]) == (f"Key (email)=({SECRET})",)


def test_a_key_is_printed_to_a_terminal_alone() -> None:
    error = DatabaseError("A change could not be applied.", on_terminal=(f"Key (email)=({SECRET})",))
    assert SECRET in render_error(error, on_terminal=True)
    assert SECRET not in render_error(error)
    assert SECRET not in str(error_json(error))


def test_a_session_that_was_cut_off_is_named_without_its_statement() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    words = who((4711, "app", "batch", since))
    assert "4711" in words
    assert "batch" in words


@pytest.mark.postgres
def test_a_crash_file_tells_no_row(pg: PgServer) -> None:
    """A bug of the tool, with a driver's error beneath it, whose text has DETAIL and CONTEXT of the server."""
    with pg.connect("postgres", autocommit=True) as connection:
        connection.execute("create table person (email text primary key)")
        try:
            try:
                for _ in range(2):
                    connection.execute("insert into person values (%s)", [SECRET])
            except psycopg.Error as fault:
                raise KeyError(SECRET) from fault
        except KeyError as bug:
            text = crash_text(bug)
    assert SECRET not in text
    assert "UniqueViolation" in text
    assert "KeyError" in text
    assert "test_values_in_errors.py" in text


@pytest.mark.parametrize("make", [lambda: int(SECRET), lambda: datetime.fromisoformat(SECRET), lambda: {}[SECRET]])
def test_pythons_own_errors_tell_no_value_either(make: object) -> None:
    with pytest.raises((ValueError, KeyError)) as caught:
        make()  # type: ignore[operator]
    assert SECRET not in crash_text(caught.value)
