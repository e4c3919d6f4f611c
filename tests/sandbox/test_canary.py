"""The write canary against real servers: it loses nothing through a move, and it does find what is lost or doubled."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from lossy_proxy import LossyProxy

from rotator.sandbox.canary import checks as canary_checks
from rotator.sandbox.canary import process as canary_module
from rotator.sandbox.canary import report as canary_report
from rotator.sandbox.canary.mix import QUEUE_AGE, Work, work
from rotator.sandbox.canary.process import Canary
from rotator.sandbox.canary.report import CanaryReport
from rotator.sandbox.canary.tally import Tally
from rotator.sandbox.daemon import commands as sandbox_commands
from rotator.sandbox.dns.server import serve
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import Answer, CanarySettings, Login
from rotator.sandbox.postgres import fleet as fleet_module
from rotator.sandbox.postgres import processes, seed
from rotator.sandbox.postgres.address import free_address
from rotator.sandbox.postgres.fleet import Fleet

pytestmark = pytest.mark.postgres

NAME = "db.shop.internal"
PASSWORD = "canary-test-Passw0rd"
TABLES = tuple(f"canary.{name}" for name in ("writes", "counter", "line", "queue", "never"))
GATE = "CREATE OR REPLACE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {}; END$$"
OPEN = GATE.format("RETURN NULL")
CLOSED = GATE.format("RAISE EXCEPTION 'fenced' USING ERRCODE = '25006'")
GATES = ";".join(
    f"CREATE OR REPLACE TRIGGER no BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION public.no()"
    for table in TABLES
)
SESSIONS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'canary-_%' AND application_name <> 'canary-report'"
)


@dataclass
class World:
    """A fleet with one seeded server `blue`, a DNS server, and where the name leads."""

    fleet: Fleet
    settings: CanarySettings
    target: str = "blue"
    proxy: str = ""

    def lookup(self, name: str, kind: str) -> tuple[Answer, ...]:
        if name == NAME:
            cname = Answer(NAME, "CNAME", self.target, 1)
            return (cname,) if kind == "CNAME" else (cname, *self.lookup(self.target, kind))
        address = self.proxy if name == "proxy" else self.fleet.addresses().get(name)
        return (Answer(name, "A", address, 1),) if address and kind == "A" else ()

    def connect(self, identifier: str, database: str = "shop") -> psycopg.Connection[tuple[Any, ...]]:
        login = self.settings.login
        where = self.fleet.addresses()[identifier]
        return psycopg.connect(host=where, user=login.user, password=login.password, dbname=database)

    def sql(self, identifier: str, statement: str, database: str = "shop") -> list[tuple[Any, ...]]:
        with self.connect(identifier, database) as connection:
            connection.autocommit = statement.startswith(("CREATE DATABASE", "DROP DATABASE"))
            done = connection.execute(statement)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    def fence(self, identifier: str) -> None:
        """Refuse writes, and wait until nobody who wrote before can commit any more."""
        self.sql(identifier, CLOSED)
        edge = int(self.sql(identifier, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0])
        oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
        processes.wait_until(lambda: int(self.sql(identifier, oldest)[0][0]) >= edge, 20.0, "writers go on")


def authority(fleet: Fleet) -> str | None:
    found = fleet.certificate()
    return str(found) if found else None


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """With one seeded server, `blue`."""
    folder = tmp_path_factory.mktemp("canary") / "fleet"
    opened = fleet_module.open_fleet(folder)
    address = opened.create("blue", "shop_admin", PASSWORD, "shop", {})
    seed.load(Login(address, 5432, "shop_admin", "shop", PASSWORD, authority(opened)), 1, lambda _: None)
    yield opened
    opened.close()
    fleet_module.sweep(folder)


@pytest.fixture
def world(fleet: Fleet, tmp_path: Path) -> Iterator[World]:
    login = Login(NAME, 5432, "shop_admin", "shop", PASSWORD, authority(fleet))
    world = World(fleet, CanarySettings(login, "", 3, 60.0, tmp_path / "canary"))
    world.sql("blue", f"TRUNCATE {', '.join(TABLES)}; {OPEN}; {GATES}")
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


def test_a_look_ends_in_time_whatever_holds_it_up(world: World) -> None:
    with world.connect("blue") as holder, world.connect("blue") as looking:
        holder.execute("LOCK TABLE canary.counter")
        looking.autocommit = True
        looking.execute("SET statement_timeout = '30s'")  # a look without a limit of its own fails here, and ends
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            canary_checks.look(looking, (), seconds=0.3)
    assert time.monotonic() - began < 30.0
    assert canary_checks.LOOK_SECONDS < sandbox_commands.REQUEST_SECONDS


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


def test_it_finds_a_lost_and_a_doubled_row_while_it_writes(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 40)
    world.sql("blue", "DELETE FROM canary.writes WHERE writer = 2 AND seq = 3")
    world.sql("blue", "INSERT INTO canary.writes (writer, seq) VALUES (1, 7)")
    report = canary.full_report()
    assert (report.lost, report.lost_examples) == (1, ((2, 3),))
    assert (report.doubled, report.doubled_examples) == (1, ((1, 7),))
    assert len(report.examples) == 2
    shown = json.dumps(canary.report())
    assert PASSWORD not in shown


@pytest.fixture(scope="module")
def history(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A run that has ended, with transactions of all kinds; whoever wants to spoil it does so in a copy."""
    login = Login(NAME, 5432, "shop_admin", "shop", PASSWORD, authority(fleet))
    world = World(fleet, CanarySettings(login, "", 3, 300.0, tmp_path_factory.mktemp("history")))
    server = serve("127.0.0.1", 0, world.lookup)
    world.settings = replace(world.settings, resolver=f"127.0.0.1:{server.port}")
    world.sql("blue", f"TRUNCATE {', '.join(TABLES)}")
    canary = canary_module.start(world.settings)
    until(canary, lambda r: r.acknowledged >= 3 * QUEUE_AGE + 60)
    canary.close()
    world.sql("blue", "CREATE DATABASE history TEMPLATE shop")
    yield world
    world.sql("blue", "DROP DATABASE history")
    server.close()


def _first(kind: Work) -> int:
    return next(seq for seq in range(1, 100) if work(seq) is kind)


def _last_queued(world: World) -> int:
    return int(world.sql("blue", "SELECT max(seq) FROM canary.queue WHERE writer = 1", "history")[0][0])


LINED, QUEUED = _first(Work.LINES), _first(Work.QUEUE)


@pytest.mark.parametrize(
    ("tampering", "lost", "doubled", "words"),
    [
        ("SELECT 1", 0, 0, None),
        ("DELETE FROM canary.writes WHERE writer = 1 AND seq = 3", 1, 0, "transaction 3: acknowledged, and not in"),
        ("INSERT INTO canary.writes (writer, seq) VALUES (1, 3)", 0, 1, "transaction 3: 2 times in canary.writes"),
        ("UPDATE canary.counter SET value = value - 1 WHERE (writer, slot) = (1, 0)", 1, 0, "writer 1: counter 0 is"),
        ("UPDATE canary.counter SET value = value + 2 WHERE (writer, slot) = (1, 0)", 0, 2, "writer 1: counter 0 is"),
        ("UPDATE canary.counter SET value = value - 1 WHERE (writer, slot) = (2, 1)", 1, 0, "counter 1 is"),
        ("UPDATE canary.counter SET value = value + 1000000 WHERE (writer, slot) = (2, 2)", 0, 1000000, "counter 2 is"),
        ("DELETE FROM canary.counter WHERE (writer, slot) = (2, 0)", None, 0, "counter 0 is not there"),
        (f"DELETE FROM canary.line WHERE (writer, seq, number) = (1, {LINED}, 2)", 1, 0, "line 2 is there 0 times"),
        (f"INSERT INTO canary.line (writer, seq, number) VALUES (1, {LINED}, 3)", 0, 1, "line 3 is there 2 times"),
        ("INSERT INTO canary.line (writer, seq, number) VALUES (1, 3, 1)", 0, 1, "not committed, and line 1 is"),
        (f"DELETE FROM canary.line WHERE (writer, seq) = (1, {LINED})", 3, 0, "line 1 is there 0 times"),
        (f"DELETE FROM canary.writes WHERE (writer, seq) = (1, {LINED})", 1, 3, "not committed, and line 1 is"),
        (f"INSERT INTO canary.queue (writer, seq) VALUES (1, {QUEUED})", 1, 0, "deleted, and 1 times in canary.queue"),
        ("DELETE FROM canary.queue WHERE (writer, seq) = (1, {queued})", 1, 0, "0 times in canary.queue"),
        ("INSERT INTO canary.queue (writer, seq) VALUES (1, {queued})", 0, 1, "2 times in canary.queue"),
        ("INSERT INTO canary.queue (writer, seq) VALUES (1, 3)", 0, 1, "not committed, and 1 times in canary.queue"),
        ("INSERT INTO canary.never (writer, seq) VALUES (1, 6)", 0, 1, "rolled back, and in canary.never"),
        ("TRUNCATE canary.writes", None, None, "acknowledged, and not in"),
    ],
)
def test_every_violation_is_found(
    history: World, tampering: str, lost: int | None, doubled: int | None, words: str | None
) -> None:
    """None as a number: many."""
    history.sql("blue", "CREATE DATABASE spoilt TEMPLATE history")
    try:
        history.sql("blue", tampering.replace("{queued}", str(_last_queued(history))), "spoilt")
        settings = replace(history.settings, login=replace(history.settings.login, database="spoilt"))
        report = canary_report.report(settings, Tally(settings.folder), running=False)
    finally:
        history.sql("blue", "DROP DATABASE spoilt")
    assert report.problem is None
    for found, expected in ((report.lost, lost), (report.doubled, doubled)):
        assert found == expected if expected is not None else (found or 0) > 1
    assert words is None or words in "\n".join(report.examples)
    assert len(report.examples) <= 10


def test_a_report_tells_the_mix(history: World) -> None:
    report = canary_report.report(history.settings, Tally(history.settings.folder), running=False)
    rows = history.sql("blue", "SELECT count(*), count(*) FILTER (WHERE writer > 1000) FROM canary.writes", "history")
    assert (report.acknowledged, report.kinds["long"]) == rows[0]
    assert sum(count for kind, count in report.kinds.items() if kind != "long") == report.acknowledged
    assert all(report.kinds[kind] for kind in Work)
    assert (report.writers, report.slow_writers) == (3, 2)
    assert 100 < report.rate < 330
    assert 0 < report.longest_pause_seconds <= report.writers_longest_pause_seconds < 2.0


def test_a_move_of_the_name_behind_a_fence_loses_and_doubles_nothing(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 10)
    world.fence("blue")
    world.fleet.snapshot("blue", "s")
    world.fleet.restore("s", "green", {})
    world.sql("green", OPEN)
    before = canary.full_report()
    assert before.lost == 0
    world.target = "green"
    after = until(canary, lambda r: r.acknowledged > before.acknowledged + 10)
    assert (after.lost, after.doubled, after.address) == (0, 0, world.fleet.addresses()["green"])
    assert after.longest_pause_seconds >= 0.2
    assert after.longest_pause_started is not None
    assert after.refusals["25006"] > 0


def test_a_fence_that_is_lifted_costs_no_session_and_no_transaction(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 10)
    sessions = set(world.sql("blue", SESSIONS))
    world.fence("blue")
    refused = until(canary, lambda r: r.refused >= 3)
    assert (refused.lost, refused.doubled) == (0, 0)
    world.sql("blue", OPEN)
    report = until(canary, lambda r: r.acknowledged > refused.acknowledged + 30)
    assert (report.lost, report.doubled, report.unknown) == (0, 0, 0)
    assert set(report.refusals) <= {"25006", "57014"}
    assert set(world.sql("blue", SESSIONS)) == sessions
    assert len(sessions) == 3 + 2


def test_sessions_that_are_cut_off_at_any_moment_break_no_promise(world: World) -> None:
    canary = canary_module.start(replace(world.settings, writes_per_second=300.0))
    try:
        for _ in range(25):
            known = until(canary, lambda r: r.acknowledged >= 10).acknowledged
            world.sql("blue", f"SELECT pg_terminate_backend(pid) FROM ({SESSIONS}) s")
            report = until(canary, lambda r, known=known: r.acknowledged > known + 20)  # type: ignore[misc]
            assert (report.lost, report.doubled, report.examples) == (0, 0, ())
    finally:
        canary.close()
    ended = canary.full_report()
    assert (ended.lost, ended.doubled) == (0, 0)
    assert ended.unacknowledged <= 5  # a writer is not finished that is told to stop when it finds its session cut off
    assert ended.refused > 0  # the slow ones are nearly always in the middle
    assert ended.refused + ended.unknown >= 25


def test_a_commit_without_an_answer_is_looked_for_and_one_that_comes_late_is_kept_out(world: World) -> None:
    world.fleet.reboot("blue", {"rds.force_ssl": "0"})
    blue = world.fleet.addresses()["blue"]
    world.target, world.proxy = "proxy", free_address(5432, frozenset({blue}))
    proxy = LossyProxy(world.proxy, blue, 5432, each=6)
    in_clear = replace(world.settings, login=replace(world.settings.login, authority=None))
    canary = canary_module.start(replace(in_clear, writes_per_second=300.0))
    try:
        until(canary, lambda _: min(proxy.cuts["late"], proxy.cuts["unacknowledged"]) >= 15)
    finally:
        canary.close()
        proxy.close()
    report = canary.full_report()
    assert report.problem is not None  # the name still leads to the proxy
    world.target = "blue"
    ended = canary.full_report()
    assert (ended.lost, ended.doubled, ended.examples) == (0, 0, ())
    assert ended.unknown >= 15  # a number may be cut more than once
    assert ended.acknowledged > 100


def test_some_transaction_is_open_at_nearly_any_moment(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 10)
    old = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'canary-1___' AND backend_xid IS NOT NULL"
    seen: list[int] = []
    for _ in range(20):
        known = len(seen) * 3
        until(canary, lambda r, known=known: r.acknowledged > known)  # type: ignore[misc]
        seen.append(int(world.sql("blue", old)[0][0]))
    assert sum(1 for count in seen if count) >= 16, seen


def test_a_killed_canary_has_forgotten_nothing(world: World, canary: Canary) -> None:
    until(canary, lambda r: r.acknowledged >= 30)
    canary._process.kill()
    canary._process.wait()
    report = canary.full_report()
    rows = world.sql("blue", "SELECT count(*), count(DISTINCT (writer, seq)) FROM canary.writes")
    assert (report.running, report.lost, report.doubled) == (False, 0, 0)
    assert report.acknowledged <= rows[0][0] == rows[0][1] <= report.attempted
    again = canary_module.start(world.settings)
    try:
        later = until(again, lambda r: r.acknowledged > report.acknowledged + 30)
    finally:
        again.close()
    assert (later.lost, later.doubled) == (0, 0)


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
