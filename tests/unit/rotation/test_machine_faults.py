"""A full disk, a missing right, a damaged journal: one clear message, a documented exit code, and no lost write."""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, World, new_world
from rotations import services

from rotator.boundary import run
from rotator.commands.rotation import rollback, rotate
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import Blocked, ExitCode, MachineError, RotatorError
from rotator.host.machine import explain, on_this_machine, write_file
from rotator.journal.document import Journal
from rotator.journal.keeper import Preview
from rotator.journal.local import local_keeper
from rotator.journal.lock import env_lock, holder
from rotator.report.pipes import put
from rotator.rotation.steps.context import Options
from rotator.terraform.gate import Gate


@contextmanager
def no_space() -> Iterator[None]:
    """No file of this process may grow: as on a full disk, for real, without one."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


@contextmanager
def no_more_files() -> Iterator[None]:
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)


class FullFrom(Preview):
    """A store whose disk is full from its `number`-th save on."""

    def __init__(self, journal: Journal, number: int) -> None:
        super().__init__(journal)
        self.left, self.saves = number, 0

    def save(self, journal: Journal) -> None:
        self.saves += 1
        self.left -= 1
        if self.left < 0:
            with on_this_machine("The journal could not be written."):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().save(journal)


def at_work(world: World, folder: Path, keeper: FullFrom) -> Any:
    return replace(services(world, folder), keeper=keeper)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EMFILE, errno.EISDIR])
def test_each_fault_of_the_machine_has_one_clear_message_and_exit_code(
    fault: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise OSError(fault, os.strerror(fault), "/somewhere/journal.json")

    with pytest.raises(SystemExit) as ended:
        run(work, as_json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert ended.value.code == ExitCode.BLOCKED == error["exit_code"]
    assert os.strerror(fault) in error["why"]
    assert "/somewhere/journal.json" in error["fix"] + error["why"]
    assert "bug" not in json.dumps(error)


def test_faults_that_are_not_the_machines_are_not_taken_for_one() -> None:
    assert explain(ConnectionResetError(errno.ECONNRESET, "reset")) is None
    assert explain(TimeoutError()) is None


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    store = local_keeper("shop", tmp_path)
    store.save(Journal("shop"))
    kept = (tmp_path / JOURNAL_FILE).read_text()
    with no_space(), pytest.raises(MachineError, match="journal could not be written") as caught:
        store.save(Journal("shop", next_generation=7))
    assert caught.value.code == "disk-full"
    assert (tmp_path / JOURNAL_FILE).read_text() == kept
    with no_space(), pytest.raises(MachineError):
        write_file(tmp_path / "main.tf", "x")
    with no_space(), pytest.raises(MachineError), env_lock(tmp_path):
        pytest.fail("locked without a word of who")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".main")] == []


def test_no_more_open_files(tmp_path: Path) -> None:
    store = local_keeper("shop", tmp_path)
    with no_more_files(), pytest.raises(MachineError) as caught:
        store.save(Journal("shop"))
    assert caught.value.code == "too-many-files"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / ".rotator").write_text("")
    with pytest.raises(MachineError), env_lock(tmp_path):
        pytest.fail("locked")
    with pytest.raises(MachineError, match="pipes"), Gate(tmp_path / ".rotator"):
        pytest.fail("open")
    assert holder(tmp_path) is None


def _refused() -> None:
    with on_this_machine("The journal cannot be read."):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):  # what telling an error imports: the child may not be able to read it
        run(_refused, as_json=False)
    tmp_path.chmod(0o500)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the child ends at once
            run(lambda: local_keeper("shop", tmp_path).load() and None, as_json=False)
        except SystemExit as ended:
            code = int(str(ended.code))
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.BLOCKED


def test_output_that_finds_no_space_stops_nobody_but_is_told() -> None:
    with open("/dev/full", "w") as stream:
        fault = put(stream, "line\n")
        assert fault is not None
        assert fault.errno == errno.ENOSPC
        assert put(stream, "and on\n") is None


def saves_of_a_rotation(folder: Path) -> int:
    store = FullFrom(Journal("shop"), 10_000)
    rotate(at_work(new_world(), folder, store), Options())
    return store.saves


def test_a_disk_that_fills_up_at_any_save_loses_no_write(tmp_path: Path) -> None:
    """Whatever could not be noted: blue takes writes again or the same command goes on, and nothing is lost."""
    total = saves_of_a_rotation(tmp_path)
    assert total > 20
    for number in range(total):
        world, store = new_world(), FullFrom(Journal("shop"), number)
        with pytest.raises(RotatorError) as caught:
            rotate(at_work(world, tmp_path, store), Options())
        assert caught.value.code == "disk-full", number
        assert world.both_writable == 0, number
        flipped = not world.record.values[0].startswith(f"{BLUE}.")
        assert flipped or world.data[BLUE].fenced_by is None, number
        wrote = world.write("while the disk was full")
        store.left = 10_000
        try:
            rotate(at_work(world, tmp_path, store), Options())
        except Blocked:
            rollback(at_work(world, tmp_path, store), Options())
            rotate(at_work(world, tmp_path, store), Options())
        assert ("while the disk was full" in world.serving_rows()) is wrote, number
        assert world.both_writable == 0, number


GOOD = json.dumps(
    {
        "version": 1,
        "env": "shop",
        "next_generation": 2,
        "root": None,
        "pending": None,
        "rotations": [],
    }
)
ROTATION = {
    "rotation": {},
    "phase": "rotating",
    "started": "2026-01-01T00:00:00+00:00",
    "steps": {},
}


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(GOOD), **fields}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"  \n", b"[]", b'"x"', b"7", b"null", b"true", b"{}", GOOD[:-5].encode(), b"\xff\xfe{}", b"[" * 100_000,
        changed(version=2), changed(version=None), changed(env=5), changed(next_generation="2"),
        changed(next_generation=None), changed(rotations=5), changed(rotations={}), changed(rotations=[[]]),
        changed(rotations=[ROTATION]), changed(rotations=["g1"]), changed(root=[]), changed(root={"serving": 1}),
        changed(pending="x"),
    ],
)  # fmt: skip
def test_a_damaged_journal_is_refused_in_one_message(tmp_path: Path, text: bytes) -> None:
    (tmp_path / JOURNAL_FILE).write_bytes(text)
    with pytest.raises(Blocked) as caught:
        local_keeper("shop", tmp_path).load()
    assert caught.value.code.startswith("journal-")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("place", "value"),
    [("phase", "sleeping"), ("started", None), ("steps", []), ("rotation", None)],
)
def test_a_garbled_rotation_is_refused(tmp_path: Path, place: str, value: Any) -> None:
    document = a_whole_journal(tmp_path)
    document["rotations"][0][place] = value
    refused(tmp_path, document)


@pytest.mark.parametrize(
    ("field", "value"), [("status", "half"), ("outputs", 5), ("seconds", "long"), ("surprise", 1), ("reason", None)]
)
def test_a_garbled_step_is_refused(tmp_path: Path, field: str, value: Any) -> None:
    document = a_whole_journal(tmp_path)
    document["rotations"][0]["steps"]["preflight"][field] = value
    refused(tmp_path, document)


def a_whole_journal(tmp_path: Path) -> Any:
    rotate(services(new_world(), tmp_path), Options())
    return json.loads((tmp_path / JOURNAL_FILE).read_text())


def refused(tmp_path: Path, document: Any) -> None:
    (tmp_path / JOURNAL_FILE).write_text(json.dumps(document))
    with pytest.raises(Blocked) as caught:
        local_keeper("shop", tmp_path).load()
    assert caught.value.code == "journal-damaged"


def test_a_journal_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_FILE).mkdir()
    with pytest.raises(MachineError, match="cannot be read"):
        local_keeper("shop", tmp_path).load()
