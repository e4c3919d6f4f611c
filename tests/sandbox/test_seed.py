"""The seed: every kind of object is there, the contents are the same on every run, and the size is about right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import Login
from rotator.sandbox.postgres import seed
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres

SIZE_MB = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    home.chmod(0o711)
    made = Cluster.create(home / "one", password="pw", master="admin", database="shop")
    yield made
    made.destroy()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def seeded(cluster: Cluster) -> tuple[Login, list[str]]:
    lines: list[str] = []
    seed.load(login(cluster, "shop"), SIZE_MB, lines.append)
    return login(cluster, "shop"), lines


def login(cluster: Cluster, database: str) -> Login:
    return Login(cluster.address, cluster.port, "admin", database, "pw")


def rows(where: Login, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(
        host=where.host, port=where.port, user=where.user, password=where.password, dbname=where.database
    ) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("foreign key", "SELECT 1 FROM pg_constraint WHERE contype = 'f'"),
        ("deferred constraint", "SELECT 1 FROM pg_constraint WHERE condeferred"),
        ("identity column", "SELECT 1 FROM pg_attribute WHERE attidentity = 'a'"),
        ("generated column", "SELECT 1 FROM pg_attribute WHERE attgenerated = 's'"),
        (
            "sequence of its own",
            "SELECT 1 FROM pg_sequences WHERE sequencename = 'invoice_number' AND increment_by = 3",
        ),
        ("partitioned table", "SELECT 1 FROM pg_partitioned_table WHERE partdefid <> 0"),
        ("rows in the default partition", "SELECT 1 FROM billing.event_other"),
        ("rows in a range partition", "SELECT 1 FROM billing.event_2025_q2"),
        ("enum", "SELECT 1 FROM pg_enum"),
        ("domain", "SELECT 1 FROM pg_type WHERE typtype = 'd' AND typname = 'email'"),
        ("jsonb, array", "SELECT 1 FROM shop.customer WHERE address @> '{\"vip\": true}' AND cardinality(tags) = 2"),
        ("bytea out of line", "SELECT 1 FROM shop.product WHERE octet_length(photo) > 2000"),
        ("composite index", "SELECT 1 FROM pg_index WHERE indnatts > 1 AND NOT indisprimary"),
        ("partial index", "SELECT 1 FROM pg_index WHERE indpred IS NOT NULL"),
        ("expression index", "SELECT 1 FROM pg_index WHERE indexprs IS NOT NULL"),
        ("view", "SELECT 1 FROM shop.open_order"),
        ("materialized view", "SELECT 1 FROM billing.revenue"),
        ("function", "SELECT 1 WHERE billing.order_total(1) > 0"),
        ("trigger", "SELECT 1 FROM pg_trigger WHERE tgname = 'customer_touch'"),
        ("extension", "SELECT 1 FROM pg_extension WHERE extname <> 'plpgsql'"),
        (
            "something that needs the extension",
            "SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid"
            " AND e.extname <> 'plpgsql' WHERE d.deptype = 'e'",
        ),
        ("comment", "SELECT 1 FROM pg_description WHERE description LIKE 'types and names%it''s quoted'"),
        ("grant", "SELECT 1 WHERE has_table_privilege('shop_app', 'shop.customer', 'UPDATE')"),
        ("column grant", "SELECT 1 WHERE has_column_privilege('shop_app', 'billing.invoice', 'total', 'SELECT')"),
        ("default privileges", "SELECT 1 FROM pg_default_acl"),
        (
            "NaN and NULL",
            "SELECT 1 FROM billing.event WHERE ratio = 'NaN' AND EXISTS (SELECT FROM billing.event"
            " WHERE ratio IS NULL)",
        ),
        ("empty table of the canary", "SELECT 1 FROM (SELECT count(*) FROM canary.writes) c (n) WHERE n = 0"),
    ],
)
def test_is_there(seeded: tuple[Login, list[str]], kind: str, query: str) -> None:
    assert rows(seeded[0], query + " LIMIT 1") == [(1,)], kind


def test_everything_belongs_to_the_master_user(seeded: tuple[Login, list[str]]) -> None:
    query = (
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S')"
    )
    assert rows(seeded[0], query) == [("admin",)]


def test_the_size_is_about_what_was_asked_for(seeded: tuple[Login, list[str]]) -> None:
    query = (
        "SELECT sum(pg_total_relation_size(oid)) / 1e6 FROM pg_class"
        " WHERE relkind IN ('r', 'm') AND relnamespace >= 16384"
    )
    assert 0.7 * SIZE_MB < float(str(rows(seeded[0], query)[0][0])) < 1.4 * SIZE_MB


def test_there_is_a_second_database(seeded: tuple[Login, list[str]], cluster: Cluster) -> None:
    assert rows(login(cluster, seed.SECOND_DATABASE), "SELECT count(*) FROM daily") == [(500,)]


def test_progress_names_what_is_loaded_and_no_secret(seeded: tuple[Login, list[str]]) -> None:
    assert 'seeding shop: shop."Order"' in seeded[1]
    assert "pw" not in " ".join(seeded[1])


def test_the_same_size_gives_the_same_contents(seeded: tuple[Login, list[str]], cluster: Cluster) -> None:
    with cluster.admin() as admin:
        admin.execute("DROP DATABASE reporting")
        admin.execute("CREATE DATABASE again OWNER admin")
        admin.execute("ALTER ROLE shop_app RENAME TO shop_app_first")
    again = login(cluster, "again")
    seed.load(again, SIZE_MB, lambda _: None)
    for table in (
        "shop.customer",
        "shop.product",
        'shop."Order"',
        "billing.event",
        "archive.document",
        'archive."Odd Name"',
        "billing.revenue",
    ):
        digest = f"SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {table} t"
        assert rows(again, digest) == rows(seeded[0], digest), table


def test_a_database_that_is_not_empty_is_one_clear_error(seeded: tuple[Login, list[str]]) -> None:
    with pytest.raises(SandboxError, match="could not be seeded") as caught:
        seed.load(seeded[0], 1, lambda _: None)
    assert "already exists" in caught.value.why
