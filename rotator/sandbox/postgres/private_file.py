"""Files that a server's own account alone can read."""

from __future__ import annotations

import os
from pathlib import Path

from rotator.sandbox.postgres.processes import Account


def write_private(path: Path, text: str, account: Account | None) -> None:
    """Write a 0600 file for the server's user, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if account is not None:  # by the descriptor: in a folder of theirs the name may be another file's by now
            os.fchown(file.fileno(), account.uid, account.gid)
    fresh.replace(path)
