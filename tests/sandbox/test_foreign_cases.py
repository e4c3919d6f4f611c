"""Small databases, each of a kind that a rotation once did not survive, taken through the whole path with writers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from foreign_writers import Operation
from replication_pair import DATABASE, running_pair
from test_foreign import fill, taken_through

pytestmark = [pytest.mark.postgres, pytest.mark.matrix]

ITEM = (
    "create table item (id bigserial primary key, v text)",
    "insert into item (v) select 'v' || i from generate_series(1, 1000) i",
)
WRITE: tuple[Operation, ...] = (
    ("insert into item (v) values (':n')",),
    ("update item set v = v || '!' where id = 1 + :n % 1000",),
)


@dataclass(frozen=True)
class Case:
    """`before` is run in the servers' first database, `inside` in `database`, where the writers are."""

    before: tuple[str, ...] = ()
    inside: tuple[str, ...] = ITEM
    operations: tuple[Operation, ...] = WRITE
    database: str = DATABASE
    superuser: bool = False


CASES = {
    "an unlogged table without rows": Case(inside=(*ITEM, "create unlogged table cache (k text primary key, v text)")),
    "temporary tables with numbers of their own": Case(
        operations=(
            *WRITE,
            (
                "create temp table scratch (n int generated always as identity, x text) on commit drop",
                "insert into scratch (x) values ('a'), ('b')",
                "insert into item (v) select x || n from scratch",
            ),
        )
    ),
    "a template that is written to": Case(
        before=("create database tenant_template", "alter database tenant_template is_template true"),
        database="tenant_template",
    ),
    "a record of all DDL": Case(
        inside=(
            *ITEM,
            "create table ddl_log (id bigserial primary key, tag text not null)",
            "create function log_ddl() returns event_trigger language plpgsql as"
            " $$ begin insert into public.ddl_log (tag) values (tg_tag); end $$",
            "create event trigger audit_ddl on ddl_command_end execute function log_ddl()",
        ),
        superuser=True,
    ),
    "no DDL but by the deployer": Case(
        inside=(
            *ITEM,
            "create table ledger (writer int not null, n int not null)",
            "create function no_ddl() returns event_trigger language plpgsql as $$ begin"
            " if session_user <> 'deployer' then raise exception 'DDL only by deployer'; end if; end $$",
            "create event trigger no_ddl on ddl_command_start execute function no_ddl()",
        ),
        superuser=True,
    ),
    "backslashes in strings": Case(inside=(*ITEM, f"alter database {DATABASE} set standard_conforming_strings = off")),
    "bytes in no encoding": Case(
        before=("create database old encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0",),
        inside=(
            "create table w (k text primary key, v int)",
            r"insert into w select E'\xe9' || i, i from generate_series(1, 600) i",
        ),
        operations=(
            ("update w set v = v + 1 where k = (select k from w order by k offset :n % 600 limit 1)",),
            ("insert into w values (convert_from('\\xe8'::bytea, 'SQL_ASCII') || ':n', 1)",),
        ),
        database="old",
    ),
    "a table of 1,600 columns": Case(
        inside=(
            *ITEM,
            "do $$ begin execute (select format('create table wide (id int primary key, %s)',"
            " string_agg(format('c%s int default %s', i, i), ', ')) from generate_series(1, 1599) i); end $$",
        ),
        operations=(*WRITE, ("insert into wide (id, c7) values (:n, 7)",)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_small_database_that_is_hard(name: str) -> None:
    case = CASES[name]
    with running_pair(*case.before, superuser=case.superuser) as pair:
        fill(pair, case.database, *case.inside)
        if case.database == DATABASE:
            taken_through(pair, case.operations)
        else:
            taken_through(pair, (), **{case.database: case.operations})
