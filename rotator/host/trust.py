"""Who can write to a file on this machine: the tool runs and trusts only files that root or its own user controls.

All checks look at the links themselves, and at every folder on the path: who can write to one of them can exchange
its contents. (POSIX: chmod(2) for the sticky bit of folders; inode(7).)
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = 0
MAC_ADMINISTRATORS = 80
"""Group `admin` of macOS: its members may become root. Homebrew's folders belong to it."""
LONGEST_CHAIN = 40


def problem(path: Path) -> str | None:
    """Why another user can create or change `path`, in words; None if only root and the own user can.

    A folder on the path that others may write to is no problem if it is sticky, as /tmp is: our files in it stay.
    """
    current, rest, links = Path("/"), [*Path(os.path.abspath(path)).parts[1:]], 0
    while True:
        found = _own_problem(current, last=not rest)
        if found is not None or not rest:
            return found
        name = rest.pop(0)
        if name == "..":
            current = current.parent
            continue
        current = current / name
        if os.path.islink(current):  # False too for what we may not look at: its own look says why
            found, links = _owner_problem(current, current.lstat()), links + 1
            if found is not None or links > LONGEST_CHAIN:
                return found or f"{path} leads through too many links"
            target = Path(os.readlink(current))
            rest = [*(target.parts[1:] if target.is_absolute() else target.parts), *rest]
            current = Path("/") if target.is_absolute() else current.parent


def problem_below(folder: Path) -> str | None:
    """As `problem`, for a folder and everything in it."""
    found = problem(folder)
    below = (Path(where) / name for where, folders, files in os.walk(folder) for name in (*folders, *files))
    return found or next((why for why in (problem(each) for each in below) if why is not None), None)


def program(name: str, path: str) -> str | None:
    """The first program of that name on `path` (in the form of PATH) that no other user can replace."""
    return next((file for file, why in _programs(name, path) if why is None), None)


def passed_over(name: str, path: str) -> tuple[str, ...]:
    """Why programs of that name on `path` are not used, one reason for each."""
    return tuple(why for _, why in _programs(name, path) if why is not None)


def safe_path(path: str) -> str:
    """`path` (in the form of PATH) without relative, empty, missing and other users' folders."""
    kept = (each for each in path.split(os.pathsep) if os.path.isabs(each) and problem(Path(each)) is None)
    return os.pathsep.join(dict.fromkeys(kept))


def private(folder: Path) -> bool:
    """Whether `folder` is a folder (no link to one) of our own that nobody else may write to."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def open_private(file: Path, flags: int) -> int:
    """Open a file of our own by `flags`, made with 0600 when they say so.

    Raises PermissionError for a link, or for a file that is somebody else's, has a second name, or can be written by
    others.
    """
    try:
        descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        if file.is_symlink():
            raise PermissionError(f"{file} is a link") from fault
        raise
    found = os.fstat(descriptor)
    ours = found.st_uid == os.geteuid() and found.st_nlink == 1 and not found.st_mode & 0o022
    if not stat.S_ISREG(found.st_mode) or not ours:
        os.close(descriptor)
        raise PermissionError(f"{file} is no file of our own")
    return descriptor


def read_private(file: Path) -> str:
    """The contents of a file of our own. Raises OSError (see open_private)."""
    with os.fdopen(open_private(file, os.O_RDONLY), encoding="utf-8") as text:
        return text.read()


def _own_problem(path: Path, *, last: bool) -> str | None:
    try:
        found = path.lstat()
    except OSError as fault:
        return f"{path}: {fault.strerror or fault}"
    if stat.S_ISLNK(found.st_mode):
        return None  # the caller follows it, and looks at its owner
    shielded = not last and stat.S_ISDIR(found.st_mode) and bool(found.st_mode & stat.S_ISVTX)
    return _owner_problem(path, found) or (None if shielded else _mode_problem(path, found))


def _owner_problem(path: Path, found: os.stat_result) -> str | None:
    if found.st_uid in (ROOT, os.geteuid()):
        return None
    return f"{path} belongs to {_name(found.st_uid)}"


def _mode_problem(path: Path, found: os.stat_result) -> str | None:
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {path}"
    if found.st_mode & stat.S_IWGRP and not _is_ours(found.st_gid):
        return f"a group with other members ({found.st_gid}) may write to {path}"
    return None


def _name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"


@cache
def _is_ours(gid: int) -> bool:
    """Whether nobody but root and we are in a group (a user's own group, as many distributions give)."""
    if gid == ROOT or (sys.platform == "darwin" and gid == MAC_ADMINISTRATORS):
        return True
    try:
        named = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return False  # a directory service that does not answer now may give it members later
    members = named | {each.pw_name for each in pwd.getpwall() if each.pw_gid == gid}
    return members <= {each.pw_name for each in pwd.getpwall() if each.pw_uid in (ROOT, os.geteuid())}


def _programs(name: str, path: str) -> Iterator[tuple[str, str | None]]:
    for folder in path.split(os.pathsep):
        file = Path(folder or ".", name)
        if not (os.path.isfile(file) and os.access(file, os.X_OK)):  # False too for what we may not look at
            continue
        relative = None if os.path.isabs(folder) else f"PATH has the relative folder {folder or '(empty)'}"
        yield str(file), relative or problem(file)
