"""Another user of the machine: what the tool writes of a database is not for them, whatever umask and old files say.

They gain the journal's facts, values out of Terraform's plans and state, and a file of theirs that is written through.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from replicated import run, world_with_links

from rotator.boundary import run as at_the_boundary
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.host.files import OWNER_FILE, for_owner_alone, own_folder, write_whole
from rotator.journal.local import LocalStore
from rotator.journal.lock import env_lock
from rotator.terraform.process import Child


@pytest.fixture(autouse=True)
def _everybody_may_read() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", [JOURNAL_FILE, DATA_FILE])
def test_journal_and_data_are_for_their_user_alone_also_in_place_of_an_open_file(tmp_path: Path, name: str) -> None:
    world = world_with_links()
    run(world, tmp_path)
    assert mode(tmp_path / name) == 0o600
    (tmp_path / name).chmod(0o644)
    LocalStore(tmp_path).narrow()
    assert mode(tmp_path / name) == 0o600


def test_a_state_of_before_is_narrowed_when_a_run_begins(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    state = tmp_path / "terraform.tfstate.backup"
    state.write_text("{}")
    state.chmod(0o664)
    LocalStore(tmp_path).narrow()
    assert mode(state) == 0o600


def test_the_lock_and_its_folder(tmp_path: Path) -> None:
    with env_lock(tmp_path), for_owner_alone():
        assert mode(tmp_path / ".rotator") == 0o700


def test_what_terraform_writes_meanwhile(tmp_path: Path) -> None:
    with for_owner_alone():
        Child(["sh", "-c", "echo secret > state; mkdir folder"], tmp_path, dict(os.environ)).wait()
    assert (mode(tmp_path / "state"), mode(tmp_path / "folder")) == (0o600, 0o700)
    assert os.umask(0) == 0


def test_a_link_in_the_drafts_place_is_not_written_through(tmp_path: Path) -> None:
    theirs, file = tmp_path / "theirs", tmp_path / "journal.json"
    theirs.write_text("as it was")
    (tmp_path / f".journal.json.{os.getpid()}.new").symlink_to(theirs)
    write_whole(file, "secret", mode=OWNER_FILE)
    assert theirs.read_text() == "as it was"
    assert (file.read_text(), mode(file)) == ("secret", 0o600)


def test_an_open_folder_of_ones_own_is_narrowed(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o777)
    own_folder(folder)
    assert mode(folder) == 0o700


def test_a_crash_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def bug() -> None:
        raise ValueError("password=hunter2 two")

    with pytest.raises(SystemExit):
        at_the_boundary(bug, as_json=True)
    (file,) = tmp_path.glob("rotator-crash-*")
    said = capsys.readouterr()
    assert mode(file) == 0o600
    assert "hunter2" not in file.read_text() + said.out + said.err
