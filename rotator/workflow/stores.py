"""Where the journal is kept, and the lock of an env. The local store: one file, written atomically and synced."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from rotator.errors import Blocked, LockedError
from rotator.terraform.data import write_data
from rotator.workflow.journal import Journal, journal_from_json, journal_to_json

JOURNAL_FILE = "journal.json"
DATA_FILE = "generations.auto.tfvars.json"


class Store(Protocol):
    """Keeps one env's journal."""

    @property
    def location(self) -> str:
        """For people: where the journal is."""
        ...

    def load(self) -> Journal:
        """The journal; an empty one for an env that has none yet. Raises Blocked when it is damaged."""
        ...

    def save(self, journal: Journal) -> None:
        """Keep it, durably, before returning; also derive the root's data file."""
        ...

    def drop_data(self) -> None:
        """Remove the root's data file, of an env that has adopted nothing."""
        ...


class LocalStore:
    """The journal as a file of the env, beside the data file that Terraform reads."""

    def __init__(self, env: str, folder: Path) -> None:
        self._env = env
        self._path = folder / JOURNAL_FILE
        self._data = folder / DATA_FILE

    @property
    def location(self) -> str:
        """Path of the journal."""
        return str(self._path)

    def load(self) -> Journal:
        """Read the file; raises Blocked when it is damaged."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Journal(self._env)
        try:
            document = json.loads(text)
        except ValueError as fault:
            raise Blocked(
                f"The journal {self._path} is not JSON.",
                why=str(fault),
                fix="Take the last good journal from version control; do not edit it by hand.",
                code="journal-damaged",
            ) from fault
        journal = journal_from_json(document)
        if journal.env != self._env:
            raise Blocked(
                f"The journal {self._path} belongs to env {journal.env!r}, not {self._env!r}.",
                why="The folder was copied or renamed with its journal.",
                fix="Remove the copied journal and data file, or give the folder its old name.",
                code="journal-foreign",
            )
        return journal

    def save(self, journal: Journal) -> None:
        """Journal first, then the file derived from it: a kill in between is mended by the next save or derive."""
        text = json.dumps(journal_to_json(journal), indent=2, sort_keys=False) + "\n"
        write_atomically(self._path, text)
        self.derive(journal)

    def drop_data(self) -> None:
        """Remove the derived file."""
        self._data.unlink(missing_ok=True)

    def derive(self, journal: Journal) -> None:
        """Write the root's data as the journal has it."""
        data = journal.pending or journal.root
        if data is not None:
            write_data(self._data, data)


class Preview:
    """A store that keeps nothing: for verbs that only look."""

    location = "not written"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def load(self) -> Journal:
        """The journal it was given."""
        return self._journal

    def save(self, journal: Journal) -> None:
        """Kept in memory alone."""
        self._journal = journal

    def drop_data(self) -> None:
        """There is no file."""


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`: either the old or the new contents survive a crash, never a mixture."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def env_lock(folder: Path) -> Iterator[None]:
    """Hold the env for this process (I7, on one machine). The kernel frees it when the process dies.

    Raises LockedError that names the holder.
    """
    path = folder / ".rotator" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            file.seek(0)
            raise LockedError(
                f"Another rotator works on {folder.name}.",
                why=f"Held by {file.read().strip() or 'an unknown process'}.",
                fix=f"Wait until it ends, or look at it with: rotator status {folder.name}",
            ) from fault
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC).isoformat('T', 'seconds')}\n")
        file.flush()
        yield
