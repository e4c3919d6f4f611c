"""The sandbox's working folder: where it is, whether a daemon lives in it, and what it leaves behind in the env.

It lies below the system's temporary folder: paths of Unix sockets are short there, and when we are root the servers'
own user can reach it. The env's `.rotator/sandbox.json` says where; a marker in the folder names the env, so that it is
found even when that file is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from rotator.config import Env
from rotator.config_sandbox import LISTENS, LOCK, OWNER, PREFIX, RECORD, Listens, folder_of, lives
from rotator.sandbox import processes

WORLD_FILES = (
    "terraform.tfstate*",
    ".terraform.tfstate.lock.info",
    ".terraform.lock.hcl",
    ".terraform",
    "generations.auto.tfvars.json",
    "journal*.json",
    ".rotator",
)
"""What in an env describes a sandbox's world, and is worth nothing once that is gone."""


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
        """The daemon's process id; true while the lock is held."""
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
        draft = self.path / f"{LISTENS}.new"
        draft.write_text(json.dumps(asdict(where)) + "\n")
        draft.replace(self.path / LISTENS)

    def log_tail(self, lines: int = 12) -> tuple[str, ...]:
        """The last lines of the daemon's log."""
        return tuple(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ()

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Hold the lock that says: a daemon lives here. Raises SandboxError when another does."""
        with (self.path / LOCK).open("w") as lock:
            # whoever asks for the daemon holds the lock for an instant
            processes.wait_until(lambda: _locked(lock), 5.0, f"another sandbox lives in {self.path}")
            self.pid.write_text(str(os.getpid()))
            yield

    def daemon(self) -> int | None:
        """The living daemon's process id."""
        if not lives(self.path):
            return None
        text = self.pid.read_text() if self.pid.exists() else ""
        return int(text) if text.isdigit() else None

    def others(self) -> frozenset[int]:
        """Processes that have this folder in their arguments, such as the canary's."""
        me = {os.getpid(), os.getppid()}
        return frozenset(pid for pid in processes.table() if pid not in me and str(self.path) in _arguments(pid))


def find(env: Env) -> Home | None:
    """The env's sandbox folder, if there is one."""
    folder = folder_of(env)
    return Home(folder) if folder is not None else None


def make(env: Env) -> Home:
    """A new folder, noted in the env."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o711)  # the servers' user must pass through
    (folder / OWNER).write_text(str(env.path.resolve()))
    record = env.path / RECORD
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({"folder": str(folder)}) + "\n")
    return Home(folder)


def remove(home: Home) -> None:
    """Remove the folder and all that is in it."""
    shutil.rmtree(home.path)


def forget_world(env: Env) -> tuple[str, ...]:
    """Remove the env's files that described the world of a sandbox that is gone; gives their names."""
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


def _arguments(pid: int) -> str:
    file = processes.PROC / str(pid) / "cmdline"
    if processes.PROC.exists():
        try:
            return file.read_bytes().decode(errors="replace")
        except OSError:
            return ""  # it has ended
    command = ["ps", "-o", "command=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout
