"""How this process was started, and so how its user can start the next one."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rotator.host.typed import Typed

STARTED_BY = "ROTATOR_STARTED_BY"
"""The Makefile sets it to `make`."""


def typed(env: str | None = None, argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Typed:
    """Commands as the user of this process can type them."""
    environ = os.environ if environ is None else environ
    program = _program((argv or sys.argv)[0], environ)
    return Typed(program, make=environ.get(STARTED_BY) == "make", env=env)


def place() -> str:
    """USER@HOST of this process; the number of a user without a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _program(started: str, environ: Mapping[str, str]) -> str:
    """The shortest name that works: the bare name if PATH leads to this program, else its path."""
    here = Path(started)
    if here.name != "rotator" or not here.exists():
        # As a module, or inside another program: the script that is installed beside this interpreter.
        here = Path(sys.executable).parent / "rotator"
        if not here.exists():
            return "rotator"
    found = shutil.which("rotator", path=environ.get("PATH"))
    if found is not None and os.path.samefile(found, here):
        return "rotator"
    if here.is_absolute() and here.is_relative_to(Path.cwd()):
        here = here.relative_to(Path.cwd())
    return shlex.quote(str(here) if here.parent.name else f"./{here}")
