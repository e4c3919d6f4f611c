"""One server: RDS's roles, life and death, and that nothing of it stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import binaries, processes
from rotator.sandbox.postgres.account import server_account
from rotator.sandbox.postgres.address import database_port, free_address
from rotator.sandbox.postgres.cluster import Cluster
from rotator.sandbox.postgres.config import is_superuser

pytestmark = pytest.mark.postgres

PASSWORD = "cluster-test-Passw0rd"
MASTER = "shop_admin"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder that the servers' user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    made = Cluster.create(home / "one", password=PASSWORD, master=MASTER, database="shop")
    yield made
    made.destroy()


def connect(
    cluster: Cluster, database: str = "shop", password: str = PASSWORD
) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=cluster.address, port=cluster.port, user=MASTER, password=password, dbname=database, autocommit=True
    )


def value(cluster: Cluster, query: str) -> object:
    with connect(cluster) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_master_user_has_the_rights_that_rds_gives_and_no_more(cluster: Cluster) -> None:
    query = (
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = user"
    )
    with connect(cluster) as connection:
        assert connection.execute(query).fetchone() == (is_superuser(binaries.find().major), True, True, True, False)
    for role in ("rds_superuser", "pg_signal_backend", "pg_monitor"):
        assert value(cluster, f"SELECT pg_has_role('{role}', 'member')") is True
    assert value(cluster, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'") == MASTER
    if not is_superuser(binaries.find().major):
        with connect(cluster) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM pg_authid")


def test_nobody_enters_the_services_database(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        connect(cluster, "rdsadmin")
    with cluster.admin("rdsadmin") as admin:
        assert admin.execute("SELECT user").fetchone() == ("rdsadmin",)


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(cluster, password="wrong")


def test_what_logical_replication_needs_is_there(cluster: Cluster) -> None:
    assert value(cluster, "SHOW wal_level") == "logical"
    assert int(str(value(cluster, "SHOW max_replication_slots"))) >= 10
    with connect(cluster) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
        connection.execute("SELECT pg_drop_replication_slot('s')")


def test_the_password_changes_and_no_file_or_process_ever_holds_it(cluster: Cluster) -> None:
    cluster.set_password(MASTER, "another-Passw0rd")
    with pytest.raises(psycopg.OperationalError):
        connect(cluster)
    connect(cluster, password="another-Passw0rd").close()
    cluster.set_password(MASTER, PASSWORD)
    for file in (each for each in cluster.folder.rglob("*") if each.is_file()):
        content = file.read_bytes()
        assert PASSWORD.encode() not in content, file
        assert b"another-Passw0rd" not in content, file
    assert not (cluster.folder / "pwfile").exists()


def test_a_stopped_and_a_crashed_server_start_again_with_their_data(cluster: Cluster) -> None:
    with connect(cluster) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) n")
    cluster.stop()
    assert cluster.pid() is None
    assert cluster.start() == cluster
    with connect(cluster) as connection:
        connection.execute("INSERT INTO kept VALUES (0)")
    cluster.kill()
    cluster.start()
    assert value(cluster, "SELECT count(*) FROM kept") == 1001


def test_a_frozen_server_is_killed_too(cluster: Cluster) -> None:
    pid = cluster.pid()
    assert pid is not None
    processes.send(signal.SIGSTOP, processes.family(pid))
    cluster.kill()
    assert not processes.alive(pid)
    cluster.start()


def test_a_failure_while_frozen_lets_all_processes_go_on(cluster: Cluster) -> None:
    pid = cluster.pid()
    assert pid is not None
    states: set[str | None] = set()

    def copy_that_fails() -> None:
        with processes.frozen(pid):
            states.update(processes.state(each) for each in processes.family(pid))
            raise RuntimeError("the copy fails")

    with pytest.raises(RuntimeError, match="the copy fails"):
        copy_that_fails()
    assert states == {"T"}
    assert value(cluster, "SELECT 1") == 1


def test_two_servers_listen_on_the_same_port(cluster: Cluster, home: Path) -> None:
    other = Cluster.create(home / "two", password="other", master=MASTER, database="shop")
    try:
        assert (other.port, cluster.port) == (5432, 5432)
        assert other.address != cluster.address
        connect(other, password="other").close()
    finally:
        other.destroy()
    assert not (home / "two").exists()


def test_a_taken_address_is_left_for_another(cluster: Cluster, home: Path) -> None:
    made = Cluster.create(home / "three", password=PASSWORD, master=MASTER)
    try:
        made.stop()
        settings = replace(made.settings, address=cluster.address)
        moved = Cluster.place(made.folder, settings).start()
        assert moved.address != cluster.address
        assert Cluster.load(made.folder) == moved
        connect(moved, "postgres").close()
    finally:
        Cluster.load(made.folder).destroy()


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    folder = home / "bad"
    with pytest.raises(SandboxError) as caught:
        Cluster.create(folder, password=PASSWORD, extra={"work_mem": "plenty"})
    assert any("work_mem" in line for line in caught.value.details)
    shutil.rmtree(folder)


def older_servers() -> Iterator[binaries.Binaries]:
    for pattern in binaries.SYSTEM_FOLDERS:
        for folder in sorted(Path("/").glob(pattern.lstrip("/"))):
            found = binaries.inspect(folder)
            if found is not None and found.major < binaries.WANTED_MAJOR:
                yield found


@pytest.mark.parametrize(
    "programs", list(older_servers())[:1] or [None], ids=lambda each: f"pg{each.major}" if each else ""
)
def test_before_version_16_the_master_makes_subscriptions_too_as_on_rds(
    home: Path, programs: binaries.Binaries | None
) -> None:
    if programs is None:
        pytest.skip("no PostgreSQL before 16 on this machine")
    cluster = Cluster.create(home / "old", password=PASSWORD, master=MASTER, database="shop", binaries=programs)
    try:
        with connect(cluster) as connection:
            connection.execute("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)")
    finally:
        cluster.destroy()


def test_an_address_is_not_given_twice() -> None:
    first = free_address(5432)
    assert free_address(5432, {first}) != first


def test_the_password_is_not_shown_by_repr(cluster: Cluster) -> None:
    assert cluster.settings.service_password not in repr(cluster)
    assert PASSWORD not in repr(cluster.target(PASSWORD))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop privileges")
def test_as_root_the_server_runs_as_another_user_and_its_folder_is_closed(cluster: Cluster) -> None:
    account = server_account()
    assert account is not None
    assert cluster.data.stat().st_uid == account.uid != 0
    for path in (cluster.folder, cluster.folder / "cluster.json"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_on_all_addresses_is_not_used() -> None:
    with socket.socket() as everywhere:
        everywhere.bind(("", 0))
        everywhere.listen()
        taken = everywhere.getsockname()[1]
        chosen = database_port(taken)
        assert chosen != taken
        assert free_address(chosen)
    assert database_port(taken) == taken
