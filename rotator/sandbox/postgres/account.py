"""The user that the sandbox's servers run as."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rotator.sandbox.errors import SandboxError


@dataclass(frozen=True)
class Account:
    """The user that servers run as when we are root (PostgreSQL refuses root)."""

    name: str
    uid: int
    gid: int

    @property
    def ids(self) -> tuple[int, int]:
        """(uid, gid), as the owner of a file."""
        return self.uid, self.gid

    def can_run(self, program: str) -> bool:
        """Whether this user can start `program` (every folder on the way must be open to it)."""
        try:
            done = subprocess.run(
                [program, "--version"],
                user=self.uid,
                group=self.gid,
                extra_groups=(),
                cwd="/",
                capture_output=True,
                check=False,
            )
        except PermissionError:
            return False
        return done.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can pass through `folder` and all above it."""
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
                user=self.uid,
                group=self.gid,
                extra_groups=(),
                cwd="/",
                capture_output=True,
                check=False,
            )
        except PermissionError:
            return False
        return done.returncode == 0


def server_account() -> Account | None:
    """None: run as ourselves. As root: `postgres` if there is such a user, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise SandboxError(
        "no user to run PostgreSQL as",
        why="PostgreSQL refuses to run as root, and there is neither a user 'postgres' nor a user 'nobody'",
        fix="create one (useradd --system postgres), or run the sandbox as an ordinary user",
    )
