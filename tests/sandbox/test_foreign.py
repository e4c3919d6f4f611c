"""Databases that somebody else might have, taken through the whole path of strategy replicate with writers at work.

Their SQL is written here; it has what Pagila, Chinook and stranger databases have. In `make test` the small one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from foreign_path import Report, blocking, connected, whole_path
from foreign_writers import Operation
from replication_pair import DATABASE, Pair, running_pair

pytestmark = pytest.mark.postgres

FOLDER = Path(__file__).parent / "foreign"

MUSIC: tuple[Operation, ...] = (
    (
        """with new as (insert into "Invoice" ("CustomerId") values (1 + :n % 59) returning "InvoiceId")
        insert into "InvoiceLine" select "InvoiceId", l, :n % 3503 + 1, l from new, generate_series(1, 3) l""",
        'update "Invoice" set "Total" = "Total" + 1.01 where "InvoiceId" = 1 + :n % 412',
    ),
    (
        "insert into \"Artist\" values (:n, 'new')",
        "insert into \"Album\" values (:n, 'first', :n)",
        'insert into "Track" ("Name", "AlbumId", "Milliseconds", "UnitPrice") values (\'t\', :n, 1, 0.99)',
    ),
    ('update "Track" set "UnitPrice" = "UnitPrice" + 0.01, "Milliseconds" = :n where "TrackId" = 1 + :n % 3503',),
    ('delete from "PlaylistTrack" where "TrackId" = 1 + :n % 3503', 'delete from "Album" where "AlbumId" = :n - 30'),
    ('update "Employee" set "ReportsTo" = 1 + :n % 8 where "EmployeeId" = 1 + (:n + 1) % 8',),
)

RENTAL: tuple[Operation, ...] = (
    (
        "insert into rental.payment (paid, customer_id, amount) values"
        " (date '2024-12-20' + :n % 800, 1000 + 7 * (:n % 300), 1.01)",
    ),
    (
        "update rental.film set description = 'about ' || :n, rating = 'R', more = more || '{\"n\": :n}'"
        " where id = 1 + :n % 1000",
    ),
    ("update rental.payment set paid = paid + 365 where id = 1 + :n % 3000 and paid < '2026-06-01'",),
    ("update rental.language_names set name = 'L' || :n where id = 1 + :n % 3",),
    (
        """with one as (insert into rental.copy (film_id) values (1 + :n % 1000) returning id)
        insert into rental.lending (copy_id, customer_id, during) select id, 1000, tstzrange(now(), null) from one""",
    ),
    (
        "update rental.customer set email = 'swap' where id = 1000 + 7 * (:n % 7)",
        "update rental.customer set email = 'x' || :n || '@example.com', home.zip = '0', picture = picture || 'x'"
        " where id = 1000 + 7 * (:n % 7)",
    ),
    (
        "insert into rental.film_actor values (1 + :n % 200, :n)",
        "delete from rental.film_actor where film_id = :n",
        "insert into rental.actor (first_name, last_name) values ('n', ':n')",
    ),
    (
        "insert into rental.company (name, vat) values ('c', ':n')",
        "update rental.party set name = 'p' where id % 50 = :n % 50",
    ),
    ("refresh materialized view concurrently rental.sales",),
)

ODD = '"Sch.ema ""x"" \'y\'"."Ta.ble ""%s"" {0} \\n"'
LONG = '"ünï 統計"."名前 mit Umlaut ä ß und einem sehr langen Namen"'
WILD: tuple[Operation, ...] = (
    (
        f"insert into {ODD} values (:n, '%', '%(x)s')",
        f'update {ODD} set "sel ect" = \':n\' where "Id "" col" = 1 + :n % 50',
    ),
    (
        f"update {LONG} set \"वैल्यू\" = 'é' where \"ключ\" = 'ключ ' || (1 + :n % 50)",
        "update a.\"b.c\" set v = ':n' where id = 1 + :n % 50",
        'delete from "a.b".c where id = 1 + :n % 50',
        "insert into \"a.b\".c values (:n, 'n')",
        'update public."order" set "Primary" = not coalesce("Primary", false) where "user" = 1 + :n % 50',
    ),
    (
        "update public.big set plain = 'p' || :n where id = 1 + :n % 20",
        "update public.big set raw = raw || 'x' where id = 1 + (:n + 7) % 20",
        "update public.dropped set e = ':n', d = d + 1 where id = 1 + :n % 50",
        "insert into public.dropped (id, b) values (:n, null)",
        "insert into public.no_columns default values",
    ),
    (
        "update public.types set t13 = 'NaN', t15.b = '{\"n\": :n}', t24[1][1] = ':n', t1 = point(:n, 0)"
        " where no = 1 + :n % 60",
        "update public.loose_keys set v = ':n' where k = 'KEY' || (1 + :n % 60)",
        "update public.text_keys set k = k || '!' where d = (1 + :n % 60) * 1.10 and length(k) < 20",
        "update public.descending set v = :n where a = 1 + :n % 60",
    ),
    (
        "insert into public.keyless values ('same', 1)",
        "delete from public.keyless where ctid = (select ctid from public.keyless where v = 'same' limit 1"
        " for update skip locked)",
        "call public.busy(:n)",
    ),
    (
        "insert into public.window_of_view values (:n, 'v')",
        "update public.booked set during = during where room = 1 + :n % 30",
        "insert into public.secret values (:n)",
        "insert into public.child_key values (:n)",
        "insert into public.parent_key values (:n)",
    ),
    (
        "insert into public.numbers select 'up', nextval('\"Seq.uence\"')",
        "insert into public.numbers select 'down', nextval('downwards')",
    ),
)

MANY = 500
MANY_TABLES = """do $$ begin for i in 1..500 loop
  execute format('create table t%s (id int generated always as identity primary key, n int, v text)', i);
  execute format('insert into t%s (n, v) select g, md5(g::text) from generate_series(1, 20) g', i);
end loop; end $$"""


def a_table(number: int) -> Operation:
    return (
        f"insert into t{number} (n, v) values (:n, 'new')",
        f"update t{number} set n = n + 1 where id = 1 + :n % 20",
        f"delete from t{number % MANY + 1} where n = :n - 600",
    )


def statements(name: str) -> tuple[str, ...]:
    return ((FOLDER / f"{name}.sql").read_text(encoding="utf-8"),)


def fill(pair: Pair, database: str, *statements: str) -> None:
    with connected(replace(pair.source, database=database)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def taken_through(pair: Pair, operations: tuple[Operation, ...], **others: tuple[Operation, ...]) -> Report:
    """`others`: what is written in other databases."""
    assert blocking(pair) == []
    report = whole_path(pair, {DATABASE: operations, **others} if operations else others)
    assert report.wrong == []
    assert report.acknowledged > 0
    return report


def test_a_shop_that_sells_music() -> None:
    with running_pair(*statements("music")) as pair:
        taken_through(pair, MUSIC)


@pytest.mark.matrix
def test_a_shop_that_rents_films() -> None:
    with running_pair(*statements("rental")) as pair:
        taken_through(pair, RENTAL)


@pytest.mark.matrix
def test_names_and_types_that_nobody_expects() -> None:
    with running_pair(*statements("wild"), "create database tickets", "create database music") as pair:
        fill(pair, "tickets", "create sequence ticket", "select nextval('ticket') from generate_series(1, 100)")
        fill(pair, "music", *statements("music"))
        taken_through(pair, WILD, music=MUSIC)


@pytest.mark.matrix
def test_five_hundred_tables() -> None:
    with running_pair(MANY_TABLES) as pair:
        taken_through(pair, tuple(a_table(number) for number in range(1, MANY + 1, 7)))
