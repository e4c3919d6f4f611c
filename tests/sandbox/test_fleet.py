"""The fleet: instances and snapshots on real servers, crash consistency under load, and a sweep that leaves nothing."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rotator.database.interface import Target
from rotator.database.postgres.static_settings import static_settings
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import fleet as fleet_module
from rotator.sandbox.postgres import processes
from rotator.sandbox.postgres.fleet import Fleet, open_fleet, sweep

pytestmark = pytest.mark.postgres

PASSWORD = "fleet-test-Passw0rd"
Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    parent.chmod(0o711)
    yield parent / "fleet"
    sweep(parent / "fleet")
    assert not (parent / "fleet").exists()
    parent.rmdir()


@pytest.fixture
def fleet(folder: Path) -> Iterator[Fleet]:
    opened = open_fleet(folder)
    opened.create("blue", "admin", PASSWORD, "shop", {})
    yield opened
    opened.close()


def connect(address: str, password: str = PASSWORD) -> Connection:
    return psycopg.connect(host=address, user="admin", password=password, dbname="shop", autocommit=True)


def count(address: str) -> int:
    with connect(address) as connection:
        row = connection.execute("SELECT count(*) FROM t").fetchone()
    return int(str(row[0])) if row else 0


def test_a_snapshot_is_what_was_there_then_and_outlives_its_source(fleet: Fleet) -> None:
    with connect(fleet.addresses()["blue"]) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 500) n")
        fleet.snapshot("blue", "rds:auto-1")
        connection.execute("INSERT INTO t VALUES (0)")
    fleet.copy_snapshot("rds:auto-1", "copy")
    fleet.delete("blue")
    fleet.delete_snapshot("rds:auto-1")
    fleet.delete_snapshot("rds:auto-1")
    address = fleet.restore("copy", "green", {})
    assert count(address) == 500
    assert fleet.addresses() == {"green": address}


def test_under_load_every_acknowledged_row_is_in_the_snapshot_and_nothing_is_torn(fleet: Fleet) -> None:
    address = fleet.addresses()["blue"]
    with connect(address) as connection:
        connection.execute("CREATE TABLE t (writer int, n int, filler text, PRIMARY KEY (writer, n))")
    acknowledged = [0, 0, 0]
    stop = threading.Event()

    def write(writer: int) -> None:
        with connect(address) as connection:
            while not stop.is_set():
                with connection.transaction():  # two rows or none
                    for n in (acknowledged[writer] + 1, -acknowledged[writer] - 1):
                        connection.execute("INSERT INTO t VALUES (%s, %s, repeat('x', 500))", (writer, n))
                acknowledged[writer] += 1

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    try:
        for round_number in range(3):
            goal = min(acknowledged) + 30
            processes.wait_until(lambda goal=goal: min(acknowledged) > goal, 20.0, "no writes")
            before = tuple(acknowledged)
            fleet.snapshot("blue", f"s{round_number}")
            with connect(fleet.restore(f"s{round_number}", f"green{round_number}", {})) as connection:
                rows = connection.execute("SELECT writer, max(n), -min(n), count(*) FROM t GROUP BY 1 ORDER BY 1")
                for writer, highest, lowest, number in rows.fetchall():
                    assert highest == lowest == int(str(number)) // 2
                    assert int(str(highest)) >= before[int(str(writer))]
            fleet.delete(f"green{round_number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_stopped_instance_has_snapshots_and_starts_again(fleet: Fleet) -> None:
    address = fleet.addresses()["blue"]
    with connect(address) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 n")
    fleet.stop("blue")
    with pytest.raises(psycopg.OperationalError):
        connect(address)
    fleet.snapshot("blue", "s")
    fleet.start("blue")
    fleet.start("blue")
    assert fleet.addresses()["blue"] == address
    assert count(address) == count(fleet.restore("s", "green", {})) == 1


def test_the_log_is_the_servers_own_and_a_restored_ones_begins_with_its_crash_recovery(fleet: Fleet) -> None:
    with connect(fleet.addresses()["blue"]) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 500) n")
        fleet.snapshot("blue", "s")
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT 1 FROM missing")
    fleet.restore("s", "green", {})
    fleet.rename("green", "teal")
    blue, teal = fleet.log("blue").read_text(), fleet.log("teal").read_text()
    assert re.search(r"^\S+ \S+ UTC:127\.0\.0\.1\(\d+\):admin@shop:\[\d+\]:ERROR:  relation", blue, re.MULTILINE)
    recovery = (r"redo starts at", r"invalid record length at", r"redo done at", r"ready to accept connections")
    found = [re.search(rf"^\S+ \S+ UTC::@:\[\d+\]:LOG:  .*{words}", teal, re.MULTILINE) for words in recovery]
    places = [each.start() for each in found if each is not None]
    assert len(places) == len(recovery)
    assert places == sorted(places)
    assert "redo" not in blue
    with pytest.raises(SandboxError, match="no database server"):
        fleet.log("green")


def test_a_restored_instance_has_the_sources_password_until_it_is_changed(fleet: Fleet) -> None:
    fleet.snapshot("blue", "s")
    green = fleet.restore("s", "green", {})
    fleet.set_password("green", "new-Passw0rd")
    connect(green, "new-Passw0rd").close()
    connect(fleet.addresses()["blue"]).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(green)


def test_parameters_reach_the_server_and_those_of_rds_alone_do_no_harm(fleet: Fleet) -> None:
    parameters = {
        "work_mem": "8192",
        "rds.force_ssl": "1",
        "shared_buffers": "{DBInstanceClassMemory/32768}",
        "apg_something": "1",
        "port": "1",
    }
    fleet.reboot("blue", parameters)
    fleet.snapshot("blue", "s")
    with connect(fleet.addresses()["blue"]) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("8MB",)
        assert connection.execute("SHOW rds.force_ssl").fetchone() == ("1",)
    with connect(fleet.restore("s", "green", {})) as connection:  # a restore does not inherit them
        assert connection.execute("SHOW work_mem").fetchone() == ("4MB",)


def test_wal_level_follows_rds_logical_replication_from_the_next_start_on(fleet: Fleet) -> None:
    """As on RDS: off unless the parameter group says so, and static."""

    def level(address: str) -> object:
        with connect(address) as connection:
            return connection.execute("SHOW wal_level").fetchone()

    assert level(fleet.addresses()["blue"]) == ("replica",)
    fleet.reboot("blue", {"rds.logical_replication": "1"})
    assert level(fleet.addresses()["blue"]) == ("logical",)
    fleet.snapshot("blue", "s")
    assert level(fleet.restore("s", "green", {"rds.logical_replication": "0"})) == ("replica",)


def test_a_renamed_instance_goes_on_without_a_break(fleet: Fleet) -> None:
    with connect(fleet.addresses()["blue"]) as connection:
        fleet.rename("blue", "blue-old")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        fleet.create("blue", "admin", PASSWORD, "shop", {})
        assert len(set(fleet.addresses().values())) == 2


def test_names_that_are_taken_or_unknown_are_refused(fleet: Fleet) -> None:
    fleet.snapshot("blue", "s")
    for wrong in (
        lambda: fleet.create("blue", "admin", PASSWORD, "shop", {}),
        lambda: fleet.restore("s", "blue", {}),
        lambda: fleet.snapshot("blue", "s"),
        lambda: fleet.copy_snapshot("s", "s"),
        lambda: fleet.copy_snapshot("none", "t"),
        lambda: fleet.restore("none", "green", {}),
        lambda: fleet.snapshot("none", "t"),
    ):
        with pytest.raises(SandboxError):
            wrong()
    assert list(fleet.addresses()) == ["blue"]


def test_sweep_finds_what_a_killed_process_left_also_when_it_is_frozen_or_half_made(folder: Path) -> None:
    fleet = open_fleet(folder)
    fleet.create("one", "admin", PASSWORD, "shop", {})
    fleet.create("two", "admin", PASSWORD, "shop", {})
    pids = [pid for name in ("one", "two") if (pid := fleet._server(name).pid()) is not None]
    processes.send(signal.SIGSTOP, processes.family(pids[0]))
    (fleet._server("two").data / "postmaster.pid").unlink()
    assert sweep(folder) == 2
    assert not any(processes.alive(pid) for pid in pids)
    assert not folder.exists()
    assert sweep(folder) == 0


def test_sweep_leaves_other_programs_that_stand_in_the_folder(fleet: Fleet, folder: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"], cwd=folder)
    try:
        assert sweep(folder) == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_opening_again_sweeps_first(fleet: Fleet, folder: Path) -> None:
    pid = fleet._server("blue").pid()
    assert pid is not None
    again = open_fleet(folder)
    assert not processes.alive(pid)
    assert again.addresses() == {}
    assert again.version().split(".")[0].isdigit()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_below_a_folder_that_only_root_may_enter() -> None:
    closed = Path(tempfile.mkdtemp(prefix="rotator-test-"))  # 0700, as /root is
    try:
        fleet = open_fleet(closed / "fleet")
        connect(fleet.create("blue", "admin", PASSWORD, "shop", {})).close()
        elsewhere = Path((closed / "fleet" / fleet_module.ELSEWHERE).read_text())
        assert elsewhere.exists()
        assert sweep(closed / "fleet") == 1
        assert not elsewhere.exists()
        assert list(closed.iterdir()) == []
    finally:
        shutil.rmtree(closed)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's run proves this with every other test")
def test_as_an_ordinary_user() -> None:
    entry = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    os.chown(home, entry.pw_uid, entry.pw_gid)
    child = os.fork()  # a fork needs no interpreter that this user could start: root's is often closed to others
    if child == 0:
        os._exit(_as_user(entry, home))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(home.iterdir()) == []
    home.rmdir()


def _as_user(entry: pwd.struct_passwd, home: Path) -> int:
    try:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.environ["HOME"] = str(home)  # where libpq looks for certificates of its own
        fleet = open_fleet(home / "fleet")
        with connect(fleet.create("blue", "admin", PASSWORD, "shop", {})) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 n")
            fleet.snapshot("blue", "s")
        assert count(fleet.restore("s", "green", {})) == 1
        assert sweep(home / "fleet") == 2
    except BaseException:  # noqa: BLE001  a forked test must not return into pytest
        traceback.print_exc(file=sys.stderr)
        return 1
    return 0


def test_a_restored_server_runs_with_the_settings_of_its_source(fleet: Fleet) -> None:
    fleet.snapshot("blue", "snap")
    fleet.restore("snap", "green", {})
    found = fleet.addresses()
    certificate = fleet.certificate()
    tls = ("verify-full", str(certificate)) if certificate else ("disable",)
    blue, green = (
        static_settings(Target(found[name], 5432, "admin", "shop", found[name], PASSWORD, *tls))
        for name in ("blue", "green")
    )
    assert len(blue) > 20
    assert blue == green
