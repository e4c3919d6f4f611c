"""The sandbox's working folder: its place, its running daemon, and the env's files about it.

It is below the system's temporary folder: if we are root, the servers' own user can reach it there. Everybody can
write to that folder, so ours has a random name, and its contents are trusted only while nobody else can write there.
The env's `.rotator/sandbox.json` says where it is; a marker in the folder names the env, so that it is found even when
that file is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from rotator.config.sandbox import (
    KEY,
    LISTENS,
    LOCK,
    OWNER,
    PREFIX,
    RECORD,
    AccessKey,
    Listens,
    SandboxFolderNotOurs,
    folder_of,
    lives,
)
from rotator.config.schema import Env
from rotator.domain.env_files import DATA_FILE, STATE_FILE, WORK_FOLDER
from rotator.host import trust
from rotator.host.files import OWNER_FILE, write_whole
from rotator.sandbox.postgres import process_owner, processes

WORLD_FILES = (
    f"{STATE_FILE}*",
    f".{STATE_FILE}.lock.info",
    ".terraform.lock.hcl",
    ".terraform",
    DATA_FILE,
    "journal*.json",
    WORK_FOLDER,
)
"""Files of an env that describe a sandbox's resources, and are useless without it."""


@dataclass(frozen=True)
class Home:
    """One sandbox's folder."""

    path: Path

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.path / "daemon.log"

    @property
    def pid(self) -> Path:
        """The daemon's process id and when that process began; true while the lock is held."""
        return self.path / "daemon.pid"

    @property
    def fleet(self) -> Path:
        """The database servers' own folder."""
        return self.path / "fleet"

    @property
    def canary(self) -> Path:
        """The write canary's own folder."""
        return self.path / "canary"

    @property
    def passwords(self) -> Path:
        """A libpq password file with the instances' logins, readable for its owner alone."""
        return self.path / "pgpass"

    def note(self, where: Listens) -> None:
        """Write down where the sandbox listens, whole or not at all: who reads it finds the living daemon's."""
        write_whole(self.path / LISTENS, json.dumps(asdict(where)) + "\n", mode=OWNER_FILE)

    def draw_key(self) -> AccessKey:
        """A new access key for this sandbox, in a file for its owner alone."""
        drawn = AccessKey(f"SANDBOX{secrets.token_hex(7).upper()}", secrets.token_urlsafe(30))
        write_whole(self.path / KEY, json.dumps(asdict(drawn)) + "\n", mode=OWNER_FILE)
        return drawn

    def log_tail(self, lines: int = 12) -> tuple[str, ...]:
        """The last lines of the daemon's log."""
        return tuple(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ()

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Hold the lock of a running daemon. Raises SandboxError if another process holds it."""
        with os.fdopen(trust.open_private(self.path / LOCK, os.O_RDWR | os.O_CREAT), "w") as lock:
            # whoever asks for the daemon holds the lock for an instant
            processes.wait_until(lambda: _locked(lock), 5.0, f"another sandbox runs in {self.path}")
            write_whole(self.pid, f"{os.getpid()} {process_owner.began(os.getpid())}\n", mode=OWNER_FILE)
            yield

    def daemon(self) -> int | None:
        """The living daemon's process id: a process that is ours and began when the daemon wrote that it did.

        A number alone says nothing: it may have been written by somebody else, or given to another process since.
        """
        if not trust.private(self.path) or not lives(self.path):
            return None
        try:
            number, _, began = trust.read_private(self.pid).strip().partition(" ")
        except OSError:
            return None
        pid = int(number) if number.isdigit() else 0
        return pid if pid > 1 and process_owner.is_ours(pid) and process_owner.began(pid) == began else None

    def others(self) -> frozenset[int]:
        """Our processes that were started to work in this folder: the canary's, when the daemon could not stop it."""
        return frozenset(
            pid
            for pid in processes.table()
            if pid != os.getpid() and process_owner.is_ours(pid) and str(self.canary) in _arguments(pid)
        )


def find(env: Env) -> Home | None:
    """The env's sandbox folder, if there is one."""
    folder = folder_of(env)
    return Home(folder) if folder is not None else None


def make(env: Env) -> Home:
    """A new folder, noted in the env."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    stranger = trust.problem(folder)
    if stranger is not None:
        folder.rmdir()
        raise SandboxFolderNotOurs(
            f"The sandbox of env {env.name} has no safe place for its files.",
            why=f"{stranger}: such a user could replace {folder}.",
            fix="Set TMPDIR to a folder of your own, or: chmod 1777 on the shared one.",
        )
    folder.chmod(0o711)  # the servers' user must pass through
    write_whole(folder / OWNER, str(env.path.resolve()), mode=OWNER_FILE)
    record = env.path / RECORD
    record.parent.mkdir(exist_ok=True)
    write_whole(record, json.dumps({"folder": str(folder)}) + "\n")
    return Home(folder)


def remove(home: Home) -> None:
    """Remove the folder and its contents."""
    shutil.rmtree(home.path)


def forget_world(env: Env) -> tuple[str, ...]:
    """Remove the env's files about the resources of a removed sandbox; returns their names."""
    found = sorted({each for pattern in WORLD_FILES for each in env.path.glob(pattern)})
    for each in found:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
    return tuple(each.name for each in found)


@contextmanager
def one_at_a_time(env: Env) -> Iterator[None]:
    """Only one `up` or `down` of an env at a time; a second one waits."""
    with _opened(env.path) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _arguments(pid: int) -> list[str]:
    """The words with which a process was started; one text where the system gives no better."""
    file = process_owner.PROC / str(pid) / "cmdline"
    if process_owner.PROC.exists():
        try:
            return file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return []  # it has ended
    return process_owner.ps(pid, "command=").split()
