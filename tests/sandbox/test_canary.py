"""The write canary against real servers: it loses nothing through a move, and it does find what is lost or doubled."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from rotator.sandbox import canary as canary_module
from rotator.sandbox import fleet as fleet_module
from rotator.sandbox import processes, seed
from rotator.sandbox.canary import Canary
from rotator.sandbox.canary_report import CanaryReport
from rotator.sandbox.dns_server import serve
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.fleet import Fleet
from rotator.sandbox.interface import Answer, CanarySettings, Login

pytestmark = pytest.mark.postgres

NAME = "db.shop.internal"
PASSWORD = "canary-test-Passw0rd"


@dataclass
class World:
    """A fleet with one seeded server `blue`, a DNS server, and where the name leads."""

    fleet: Fleet
    settings: CanarySettings
    target: str = "blue"

    def lookup(self, name: str, kind: str) -> tuple[Answer, ...]:
        if name == NAME:
            cname = Answer(NAME, "CNAME", self.target, 1)
            return (cname,) if kind == "CNAME" else (cname, *self.lookup(self.target, kind))
        address = self.fleet.addresses().get(name)
        return (Answer(name, "A", address, 1),) if address and kind == "A" else ()

    def sql(self, identifier: str, statement: str) -> None:
        login = self.settings.login
        with psycopg.connect(
            host=self.fleet.addresses()[identifier], user=login.user, password=login.password, dbname=login.database
        ) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """With one seeded server, `blue`."""
    folder = tmp_path_factory.mktemp("canary") / "fleet"
    opened = fleet_module.open_fleet(folder)
    address = opened.create("blue", "shop_admin", PASSWORD, "shop", {})
    seed.load(Login(address, 5432, "shop_admin", "shop", PASSWORD), 1, lambda _: None)
    yield opened
    opened.close()
    fleet_module.sweep(folder)


@pytest.fixture
def world(fleet: Fleet, tmp_path: Path) -> Iterator[World]:
    login = Login(NAME, 5432, "shop_admin", "shop", PASSWORD)
    world = World(fleet, CanarySettings(login, "", 3, 60.0, tmp_path / "canary"))
    world.sql("blue", "DROP FUNCTION IF EXISTS public.no CASCADE; TRUNCATE canary.writes")
    server = serve("127.0.0.1", 0, world.lookup)
    world.settings = replace(world.settings, resolver=f"127.0.0.1:{server.port}")
    yield world
    server.close()
    fleet.delete("green")
    fleet.delete_snapshot("s")


@pytest.fixture
def canary(world: World) -> Iterator[Canary]:
    started = canary_module.start(world.settings)
    yield started
    started.close()


def until(canary: Canary, condition: Callable[[CanaryReport], bool], seconds: float = 20.0) -> CanaryReport:
    """The first report that meets the condition."""
    deadline = time.monotonic() + seconds
    while True:
        report = canary.full_report()
        if condition(report):
            return report
        assert time.monotonic() < deadline, report
        time.sleep(0.05)


def test_nothing_is_lost_or_doubled_while_it_runs_and_numbers_go_on_after_a_restart(
    world: World, canary: Canary
) -> None:
    report = until(canary, lambda r: r.acknowledged >= 20)
    assert (report.lost, report.doubled, report.problem, report.running) == (0, 0, None, True)
    assert report.writers == 3
    assert report.address == world.fleet.addresses()["blue"]
    canary.close()
    ended = canary.full_report()
    assert (ended.running, ended.lost, ended.doubled, ended.unacknowledged) == (False, 0, 0, 0)
    again = canary_module.start(world.settings)
    try:
        later = until(again, lambda r: r.acknowledged > ended.acknowledged + 5)
    finally:
        again.close()
    assert (later.lost, later.doubled) == (0, 0)


def test_it_finds_a_lost_and_a_doubled_row(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 12)
    world.sql("blue", "DELETE FROM canary.writes WHERE writer = 2 AND seq = 1")
    world.sql("blue", "INSERT INTO canary.writes (writer, seq) VALUES (1, 2)")
    report = canary.full_report()
    assert (report.lost, report.lost_examples) == (1, ((2, 1),))
    assert (report.doubled, report.doubled_examples) == (1, ((1, 2),))
    shown = json.dumps(canary.report())
    assert PASSWORD not in shown


def test_a_move_of_the_name_behind_a_fence_loses_and_doubles_nothing(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 10)
    world.sql(
        "blue",
        "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'fenced' USING ERRCODE = '25006'; END$$;"
        "LOCK TABLE canary.writes IN EXCLUSIVE MODE;"
        "CREATE TRIGGER no BEFORE INSERT ON canary.writes EXECUTE FUNCTION public.no()",
    )
    world.fleet.snapshot("blue", "s")
    world.fleet.restore("s", "green", {})
    world.sql("green", "DROP TRIGGER no ON canary.writes")
    before = canary.full_report()
    assert before.lost == 0
    world.target = "green"
    after = until(canary, lambda r: r.acknowledged > before.acknowledged + 10)
    assert (after.lost, after.doubled, after.address) == (0, 0, world.fleet.addresses()["green"])
    assert after.longest_pause_seconds >= 0.2
    assert after.longest_pause_started is not None


def test_a_copy_without_a_fence_does_lose_rows_and_the_canary_says_so(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 5)
    world.fleet.snapshot("blue", "s")
    taken = canary.full_report().acknowledged
    until(canary, lambda r: r.acknowledged > taken + 10)
    world.fleet.restore("s", "green", {})
    world.target = "green"
    assert (canary.full_report().lost or 0) > 0


def test_kill_of_the_server_under_load_breaks_no_promise(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 5)
    for _ in range(5):
        known = canary.full_report().acknowledged
        world.fleet._server("blue").kill()
        unreachable = canary.full_report()
        assert (unreachable.lost, unreachable.doubled) == (None, None)
        assert unreachable.problem
        world.fleet.start("blue")
        until(canary, lambda r, known=known: r.acknowledged > known + 5)  # type: ignore[misc]
    report = canary.full_report()
    assert (report.lost, report.doubled) == (0, 0)


def test_the_password_is_neither_in_argv_nor_in_the_environment_nor_on_disk(world: World, canary: Canary) -> None:
    process = Path("/proc") / str(canary._process.pid)
    if not process.exists():
        pytest.skip("no /proc")
    for name in ("cmdline", "environ"):
        assert PASSWORD.encode() not in (process / name).read_bytes()
    until(canary, lambda r: r.acknowledged >= 1)
    for file in world.settings.folder.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


def test_sigterm_ends_it_cleanly(canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 1)
    canary._process.send_signal(signal.SIGTERM)
    assert canary._process.wait(10) == 0
    assert canary.full_report().unacknowledged == 0


def test_it_ends_when_the_process_that_started_it_is_gone(canary: Canary) -> None:
    assert canary._process.stdin is not None
    canary._process.stdin.close()  # what the kernel does for a killed parent
    assert canary._process.wait(10) == 0


def test_a_canary_that_cannot_start_is_one_clear_error(world: World) -> None:
    with pytest.raises(SandboxError, match="does not start") as caught:
        canary_module.start(replace(world.settings, resolver="nonsense:port"))
    assert "nonsense" in " ".join(caught.value.details)


def test_it_waits_for_a_server_that_is_not_there_yet(world: World, tmp_path: Path) -> None:
    world.target = "nowhere"
    canary = canary_module.start(world.settings)
    try:
        assert canary.full_report().attempted == 0
        world.target = "blue"
        assert until(canary, lambda r: r.acknowledged >= 3).lost == 0
    finally:
        canary.close()
    assert not processes.alive(canary._process.pid)
