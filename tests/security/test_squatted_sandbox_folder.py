"""A local user who fills the shared temporary folder before or beside the sandbox's owner.

What they would gain: `sandbox down` ends a process of their choice, a file of the owner's is emptied, and the
owner's tools talk to an AWS of theirs.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_env import small_env

from rotator.config.sandbox import LISTENS, LOCK, OWNER, PREFIX, RECORD, SandboxFolderNotOurs, listens
from rotator.config.schema import Env
from rotator.domain.errors import RotatorError
from rotator.sandbox.daemon import commands, home
from rotator.sandbox.daemon.home import Home
from rotator.sandbox.postgres import process_owner

HOLD = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return small_env(tmp_path / "project")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's temporary folder: everybody's, sticky."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[str]]:
    """A process of ours that is not the sandbox's."""
    with _held([]) as process:
        yield process
        process.kill()


def _held(words: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def fill(folder: Path, env: Env, pid: int) -> int:
    """What makes a folder look like the env's living sandbox; gives the descriptor that holds its lock."""
    (folder / OWNER).write_text(str(env.path.resolve()))
    (folder / "daemon.pid").write_text(str(pid))
    (folder / LISTENS).write_text(json.dumps({"endpoint_url": "http://127.0.0.1:9", "dns": "127.0.0.1:9"}))
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@pytest.mark.parametrize("way", ["link to a folder that all may write to", "folder that all may write to"])
def test_a_planted_folder_ends_no_process_and_gives_no_address(
    env: Env, shared: Path, tmp_path: Path, bystander: subprocess.Popen[str], way: str
) -> None:
    """As root, /tmp itself is such a folder: it is root's, and everybody writes to it."""
    planted = shared / f"{PREFIX}planted"
    theirs = tmp_path / "theirs" if way.startswith("link") else planted
    theirs.mkdir()
    theirs.chmod(0o1777)
    if theirs != planted:
        planted.symlink_to(theirs)
    lock = fill(theirs, env, bystander.pid)
    try:
        assert listens(env) is None
        commands.down(env)
    finally:
        os.close(lock)
    assert bystander.poll() is None
    assert (theirs / OWNER).exists()


def test_a_number_in_the_right_place_ends_no_process(env: Env, shared: Path, bystander: subprocess.Popen[str]) -> None:
    """Also without an attacker: the daemon's number may be another process's after a restart of the machine."""
    place = home.make(env)
    (place.path / OWNER).unlink()
    lock = fill(place.path, env, bystander.pid)
    try:
        assert place.daemon() is None
        commands.down(env)
    finally:
        os.close(lock)
    assert bystander.poll() is None


def test_who_only_names_the_folder_is_not_ended(env: Env, shared: Path) -> None:
    """`tail -f` of the daemon's log in another terminal, an editor, a backup of another user."""
    place = home.make(env)
    with _held([str(place.log)]) as reader:
        commands.down(env)
        assert reader.poll() is None
        reader.kill()


@pytest.mark.parametrize("file", [LOCK, "daemon.pid"])
def test_a_planted_link_empties_no_file(env: Env, shared: Path, tmp_path: Path, file: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("everything")
    place = home.make(env)
    (place.path / file).symlink_to(precious)
    try:
        with place.occupied():
            assert (place.path / file).is_symlink() is False
    except PermissionError:
        assert file == LOCK
    assert precious.read_text() == "everything"


def test_a_recorded_folder_that_is_no_longer_ours_is_said(env: Env, shared: Path) -> None:
    """The env is shared by two users, or somebody exchanged the folder: refused, with what to do."""
    folder = shared / f"{PREFIX}x"
    folder.mkdir()
    folder.chmod(0o777)
    (env.path / RECORD).parent.mkdir()
    (env.path / RECORD).write_text(json.dumps({"folder": str(folder)}))
    with pytest.raises(SandboxFolderNotOurs) as refused:
        commands.down(env)
    assert int(refused.value.exit_code) == 20
    assert str(folder) in refused.value.why


def test_no_sandbox_where_others_may_rename_folders(env: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder without the sticky bit: whoever may write there exchanges ours for one of his own."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(SandboxFolderNotOurs, match="no safe place"):
        home.make(env)
    assert not list(folder.iterdir())


def test_what_it_writes_is_for_its_owner_alone(env: Env, shared: Path) -> None:
    place = home.make(env)
    key = place.draw_key()
    assert key != Home(place.path).draw_key()
    for each in place.path.iterdir():
        assert each.stat().st_mode & 0o077 == 0, each
    assert key.secret not in repr(key)


def test_a_module_in_the_current_folder_does_not_start_with_the_daemon(
    env: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rotator sandbox up` typed in /tmp, where somebody has left an argparse.py."""
    (tmp_path / "argparse.py").write_text(f"open({str(tmp_path / 'taken over')!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    (env.path / "rotation.toml").write_text("[aws]\n")  # the daemon gives up at once
    with pytest.raises(RotatorError):
        commands.up(env)
    assert not (tmp_path / "taken over").exists()


def test_a_process_is_told_by_its_number_and_its_beginning() -> None:
    with _held([]) as other:
        assert process_owner.began(other.pid) not in ("", process_owner.began(os.getpid()))
        assert process_owner.is_ours(other.pid)
        other.kill()
    assert process_owner.began(other.pid) == ""
