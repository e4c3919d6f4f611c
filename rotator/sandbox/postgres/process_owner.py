"""Whose a process is and which one: a number alone may belong to another process by now."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rotator.host import trust
from rotator.sandbox.errors import SandboxError

PROC = Path("/proc")


def began(pid: int) -> str:
    """When a process began, as this system tells it; empty when there is none. With the pid it is one process alone.

    Source: proc_pid_stat(5), field 22, in clock ticks since the start of the machine.
    """
    if not (PROC / "self" / "stat").exists():
        return ps(pid, "lstart=").replace(" ", "-")
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_ours(pid: int) -> bool:
    """Whether a process runs as our own user."""
    try:
        if PROC.exists():
            return (PROC / str(pid)).stat().st_uid == os.geteuid()
    except OSError:
        return False
    return ps(pid, "uid=") == str(os.geteuid())


def ps(pid: int, column: str) -> str:
    """One column of the system's list for one process; empty when there is none."""
    done = subprocess.run([tool("ps"), "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def tool(name: str) -> str:
    """A program of the system, from a folder that nobody else can write to. Raises SandboxError."""
    found = trust.program(name, os.environ.get("PATH", os.defpath)) or trust.program(name, os.defpath)
    if found is None:
        raise SandboxError(f"there is no program {name} that can be trusted", why=f"PATH is {os.environ.get('PATH')}")
    return found
