"""Files and folders of the tool that are for their user alone. Imports nothing of ours."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWNER_FILE, OWNER_FOLDER, OTHERS = 0o600, 0o700, 0o077


def write_private(path: Path, text: str) -> None:
    """Replace `path` by UTF-8 `text`, readable by its user alone, durably: the old or the new contents survive a crash.

    The new file is created, never an existing one opened: no other user can place a link or a file of theirs. Raises
    OSError.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_FILE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def own_folder(folder: Path) -> None:
    """Make the folder for its user alone; one that is there already and is one's own becomes so. Raises OSError."""
    folder.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
    narrow(folder)


def narrow(*paths: Path) -> None:
    """Take the rights of others off files and folders that are one's own; what is not there is passed over."""
    for path in paths:
        with suppress(FileNotFoundError):
            found = path.lstat()
            mode = stat.S_IMODE(found.st_mode)
            if mode & OTHERS and found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode):
                path.chmod(mode & ~OTHERS)


@contextmanager
def for_owner_alone() -> Iterator[None]:
    """Inside, whatever this process and its children make is for their user alone (Terraform's state and plans too)."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def sync(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
