"""Faults of this machine: a full disk, a read-only folder, too many open files. One clear error for each.

Rooms that keep files use `on_this_machine`, which knows the purpose of the file; other faults reach the
error boundary, which asks `explain`. Imports nothing of ours but errors.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rotator.domain.errors import MachineError
from rotator.host.files import write_whole

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
_MACHINE = frozenset(
    {
        *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBUSY, errno.ETXTBSY, errno.ENOMEM, errno.EAGAIN, errno.ENOLCK),
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.ESTALE, errno.EMLINK, errno.EXDEV),
    }
)
AGAIN = "run the same command again: it resumes from the real state"


def explain(fault: OSError, what: str = "", path: Path | None = None) -> MachineError | None:
    """The fault of this machine, and what to do; None for other faults (of a network, or a bug).

    `what` says in words what was being done, such as "The journal could not be written".
    """
    file = str(path or fault.filename or "")
    where = f" ({file})" if file else ""
    why = f"{os.strerror(fault.errno)}{': ' + file if file else ''}." if fault.errno else str(fault)
    if fault.errno in _FULL:
        fix = f"Free space on the disk that holds {file or 'the project, and that of the temporary folder'}; {AGAIN}."
        return MachineError(what or f"This machine has no space left{where}.", why=why, fix=fix, code="disk-full")
    if fault.errno in _DENIED:
        fix = f"Give this user ({_user()}) the right to read and write {file or 'the project folder'}; {AGAIN}."
        return MachineError(
            what or f"This user has no right to use a file{where}.", why=why, fix=fix, code="no-permission"
        )
    if fault.errno in _TOO_MANY:
        fix = f"Raise the limit (ulimit -n), or end processes that hold files open; {AGAIN}."
        return MachineError(what or "This machine allows no more open files.", why=why, fix=fix, code="too-many-files")
    if fault.errno in _MACHINE:
        fix = f"Correct the named file, then {AGAIN}."
        return MachineError(what or f"This machine refused a file{where}.", why=why, fix=fix)
    return None


@contextmanager
def on_this_machine(what: str, path: Path | None = None) -> Iterator[None]:
    """Inside, a fault of this machine becomes a MachineError that begins with `what`."""
    try:
        yield
    except OSError as fault:
        error = explain(fault, what, path)
        if error is None:
            raise
        raise error from fault


def _user() -> str:
    return os.environ.get("USER") or f"uid {os.getuid()}"


def write_file(path: Path, text: str, *, mode: int | None = None) -> None:
    """As `write_whole`; its folders are made, and what the machine refuses is a MachineError."""
    with on_this_machine(f"{path.name} could not be written.", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text, mode=mode)
