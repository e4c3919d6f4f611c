"""What a master user that is no superuser may do on two servers: all that logical replication from a snapshot needs.

Before PostgreSQL 16 only superusers make subscriptions (on RDS rds_superuser may, on any version), so that older
servers are left out.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import binaries, processes, snapshots
from rotator.sandbox.postgres.account import server_account
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres

MASTER, PASSWORD = "shop_admin", "rights-test-Passw0rd"
Connection = psycopg.Connection[tuple[object, ...]]


def servers() -> list[binaries.Binaries]:
    """Every installation of this machine that is new enough, the one that the sandbox takes among them."""
    found = [binaries.inspect(folder, portable=True) for folder in binaries.packaged_folders()]
    try:
        found.append(binaries.find())
    except SandboxError:
        return []
    return list({each.folder: each for each in found if each and each.major >= binaries.WANTED_MAJOR}.values())


@dataclass(frozen=True)
class Pair:
    """Blue, and green as restored from blue's snapshot; `seed` is where blue's log ends in it."""

    blue: Cluster
    green: Cluster
    seed: str


def connect(cluster: Cluster, user: str = MASTER, password: str = PASSWORD) -> Connection:
    return psycopg.connect(host=cluster.address, user=user, password=password, dbname="shop", autocommit=True)


def run(cluster: Cluster, *statements: str) -> None:
    with connect(cluster) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def value(cluster: Cluster, query: str) -> object:
    with connect(cluster) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "none")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """All of it done as the master user: no superuser has a hand in it."""
    if request.param is None:
        pytest.skip("no PostgreSQL of version 16 or newer on this machine")
    home = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    home.chmod(0o711)
    made: list[Cluster] = []
    try:
        programs = binaries.readable_by(request.param, server_account(), home / "programs")
        blue = Cluster.create(home / "blue", password=PASSWORD, master=MASTER, database="shop", binaries=programs)
        made.append(blue)
        run(
            blue,
            "CREATE TABLE own (n int PRIMARY KEY)",
            "CREATE ROLE shop_app LOGIN PASSWORD 'app-Passw0rd'",
            f"GRANT shop_app TO {MASTER}",
            "CREATE SCHEMA app AUTHORIZATION shop_app",
            "SET ROLE shop_app",
            "CREATE TABLE app.foreign_one (n int PRIMARY KEY)",
            "RESET ROLE",
            "CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'rep-Passw0rd'",
            "GRANT USAGE ON SCHEMA app TO replicator",
            "GRANT SELECT ON own, app.foreign_one TO replicator",
            "CREATE PUBLICATION p FOR TABLE own, app.foreign_one",
            "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
            "INSERT INTO own VALUES (1)",
        )
        snapshots.take(blue, home / "snapshot")
        run(blue, "INSERT INTO own VALUES (2)", "INSERT INTO app.foreign_one VALUES (2)")
        green = snapshots.restore(home / "snapshot", home / "green", {}, frozenset({blue.address}))
        made.append(green)
        yield Pair(blue, green, str(value(green, "SELECT pg_last_wal_replay_lsn()")))
    finally:
        for cluster in made:
            cluster.destroy()
        shutil.rmtree(home)


ORIGIN = "(SELECT 'pg_' || oid FROM pg_subscription WHERE subname = 'sub')"


@pytest.fixture(scope="module")
def subscribed(pair: Pair) -> Iterator[Pair]:
    """Green follows blue from the seed on."""
    source = f"host={pair.blue.address} dbname=shop user=replicator password=rep-Passw0rd"
    options = "create_slot=false, copy_data=false, enabled=false, slot_name='s', run_as_owner=false"
    run(
        pair.green,
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
        f"CREATE SUBSCRIPTION sub CONNECTION '{source}' PUBLICATION p WITH ({options})",
        f"SELECT pg_replication_origin_advance({ORIGIN}, '{pair.seed}')",
        "ALTER SUBSCRIPTION sub SET (synchronous_commit = 'on')",
        "ALTER SUBSCRIPTION sub ENABLE",
    )
    wait(pair.green, "SELECT EXISTS (SELECT FROM own WHERE n = 2)")
    yield pair
    run(
        pair.green,
        "ALTER SUBSCRIPTION sub DISABLE",
        "ALTER SUBSCRIPTION sub SET (slot_name = NONE)",
        "DROP SUBSCRIPTION sub",
    )
    assert value(pair.green, "SELECT count(*) FROM pg_stat_subscription") == 0


def wait(cluster: Cluster, query: str) -> None:
    processes.wait_until(lambda: value(cluster, query) is True, 20.0, query)


def test_the_master_is_no_superuser(pair: Pair) -> None:
    for cluster in (pair.blue, pair.green):
        assert value(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = user") is False


def test_changes_after_the_snapshot_arrive_once_also_in_tables_of_another_owner(subscribed: Pair) -> None:
    run(subscribed.blue, "UPDATE own SET n = n + 10", "INSERT INTO app.foreign_one VALUES (3)")
    wait(subscribed.green, "SELECT count(*) = 2 FROM app.foreign_one")
    assert value(subscribed.green, "SELECT array_agg(n ORDER BY n) FROM own") == [11, 12]
    progress = value(subscribed.green, f"SELECT pg_replication_origin_progress({ORIGIN}, false) > '{subscribed.seed}'")
    assert progress is True


def test_replication_is_watched(subscribed: Pair) -> None:
    with connect(subscribed.blue) as connection:
        query = "SELECT application_name, usename, replay_lsn IS NOT NULL FROM pg_stat_replication"
        assert connection.execute(query).fetchall() == [("sub", "replicator", True)]
    assert value(subscribed.green, "SELECT received_lsn IS NOT NULL FROM pg_stat_subscription") is True
    assert value(subscribed.green, "SELECT apply_error_count FROM pg_stat_subscription_stats") == 0


def test_walsenders_and_apply_workers_and_sessions_of_others_are_ended(subscribed: Pair) -> None:
    before = value(subscribed.blue, "SELECT pid FROM pg_stat_replication")
    assert value(subscribed.blue, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_replication") is True
    wait(subscribed.blue, f"SELECT EXISTS (SELECT FROM pg_stat_replication WHERE pid <> {before})")
    workers = "SELECT pid FROM pg_stat_subscription WHERE subname = 'sub'"
    worker = value(subscribed.green, workers)
    assert value(subscribed.green, f"SELECT pg_terminate_backend({worker}, 10000)") is True
    wait(subscribed.green, f"SELECT pid <> {worker} FROM pg_stat_subscription WHERE subname = 'sub'")
    with connect(subscribed.blue, "shop_app", "app-Passw0rd") as other:
        sessions = "FROM pg_stat_activity WHERE usename = 'shop_app'"
        assert value(subscribed.blue, f"SELECT pg_terminate_backend(pid, 10000) {sessions}") is True
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


def test_slots_are_made_moved_and_dropped(pair: Pair) -> None:
    run(
        pair.blue,
        "SELECT pg_create_logical_replication_slot('extra', 'pgoutput')",
        "SELECT pg_replication_slot_advance('extra', pg_current_wal_lsn())",
        "SELECT pg_drop_replication_slot('extra')",
    )
    assert value(pair.blue, "SELECT array_agg(slot_name::text) FROM pg_replication_slots") == ["s"]


def test_the_write_ahead_log_and_the_control_file_are_read(pair: Pair) -> None:
    assert value(pair.green, "SELECT count(*) > 0 FROM pg_ls_waldir()") is True
    assert value(pair.green, "SELECT redo_lsn > '0/0' FROM pg_control_checkpoint()") is True


def test_the_rights_on_functions_are_the_same_in_every_database(pair: Pair) -> None:
    run(pair.blue, "CREATE DATABASE another", "CREATE DATABASE plain TEMPLATE template0")
    function = "pg_replication_origin_advance(text, pg_lsn)"
    for database in ("shop", "another", "plain", "postgres"):
        with psycopg.connect(host=pair.blue.address, user=MASTER, password=PASSWORD, dbname=database) as connection:
            query = "SELECT has_function_privilege(%s, 'execute')"
            assert connection.execute(query, (function,)).fetchone() == (True,), database


def test_there_is_room_for_writers_and_for_replication(pair: Pair) -> None:
    for name, least in {
        "max_connections": 100,
        "max_wal_senders": 20,
        "max_replication_slots": 20,
        "max_logical_replication_workers": 8,
        "max_worker_processes": 16,
    }.items():
        assert int(str(value(pair.green, f"SHOW {name}"))) >= least, name
