"""The lock of an env: one run at a time on one machine (I7). The kernel frees it when the process dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rotator.domain.env_files import RUN_LOCK, WORK_FOLDER
from rotator.domain.errors import LockedError
from rotator.host.files import own_folder
from rotator.host.machine import on_this_machine

_TRIES, _BETWEEN = 10, 0.05
"""Somebody who only looks whether it is held (`holder`) holds it for a moment."""


@contextmanager
def env_lock(folder: Path, verb: str = "a run") -> Iterator[None]:
    """Hold the env for this process. Raises LockedError that names the holder."""
    path = _path(folder)
    with on_this_machine(f"The env {folder.name} could not be locked.", path):
        own_folder(path.parent)
        file = path.open("a+b", buffering=0)
    with file:
        with on_this_machine(f"The env {folder.name} could not be locked.", path):
            if not _taken(file):
                raise LockedError(
                    f"Another rotator works on {folder.name}.",
                    why=f"Held by {_text(file)}.",
                    fix=f"Wait until it ends, or look at it with: rotator status {folder.name}",
                )
            file.truncate(0)
            since = datetime.now(UTC).isoformat("T", "seconds")
            file.write(f"{verb}, pid {os.getpid()} on {socket.gethostname()} since {since}\n".encode())
        yield


def holder(folder: Path) -> str | None:
    """Who holds the env at this moment, in words; None when nobody does, or nobody can say."""
    try:
        with _path(folder).open("rb", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _text(file)
    except OSError:
        return None
    return None


def _taken(file: IO[bytes]) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN)
        else:
            return True
    return False


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(300).decode("utf-8", errors="replace").strip() or "an unknown process"


def _path(folder: Path) -> Path:
    return folder / WORK_FOLDER / RUN_LOCK
