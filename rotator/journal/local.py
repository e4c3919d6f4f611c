"""The local store: a file of the env, for its user alone."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rotator.domain.env_files import DATA_FILE, DATA_NOTE, JOURNAL_FILE, JOURNAL_LOCK, PRIVATE_FOLDER, WORK_FOLDER
from rotator.host.files import OWNER_FILE, narrow, own_folder, write_whole
from rotator.host.machine import on_this_machine
from rotator.journal import lock
from rotator.journal.datafile import DataFile
from rotator.journal.following import FollowingFile
from rotator.journal.keeper import JournalKeeper
from rotator.journal.private import PrivateFiles
from rotator.journal.store import JournalChanged, Store, Stored, Version


class LocalStore:
    """The bytes as one file of an env's folder; implements journal.store.Store. A version is their digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / JOURNAL_FILE

    @property
    def location(self) -> str:
        """Path of the file."""
        return str(self.path)

    def read(self) -> Stored | None:
        """What the file holds."""
        with on_this_machine(f"The journal {self.path} cannot be read.", self.path):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return None
        return Stored(data, _digest(data))

    def write(self, data: bytes, expected: Version | None) -> Version:
        """Replace the file, while no other writer of ours can come in between."""
        with on_this_machine("The journal could not be written.", self.path), self._alone():
            found = self.read()
            if (found.version if found else None) != expected:
                raise JournalChanged(self.location)
            write_whole(self.path, data, mode=OWNER_FILE)
        return _digest(data)

    def lock(self, verb: str) -> AbstractContextManager[None]:
        """The env's lock on this machine."""
        return lock.env_lock(self._folder, verb)

    @property
    def token(self) -> int:
        """There is no lease."""
        return 0

    def renew(self) -> None:
        """The kernel takes the lock from nobody."""

    def holder(self) -> str | None:
        """Who has the env's lock."""
        return lock.holder(self._folder)

    def narrow(self) -> None:
        """Take the rights of others off files that version control or an older rotator has left readable."""
        narrow(self.path, self._folder / DATA_FILE, *self._folder.glob("*.tfstate*"), self._folder / WORK_FOLDER)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The kernel frees it when the process dies."""
        file = self._folder / WORK_FOLDER / JOURNAL_LOCK
        own_folder(file.parent)
        with file.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield


def local_keeper(env: str, folder: Path) -> JournalKeeper:
    """The journal of an env in its folder."""
    return keeper_of(env, folder, LocalStore(folder), folder / WORK_FOLDER / PRIVATE_FOLDER)


def keeper_of(env: str, folder: Path, store: Store, private: Path) -> JournalKeeper:
    """The journal in `store`; the data file is in the env's folder, what is private in a folder of its own."""
    path, note = folder / DATA_FILE, folder / WORK_FOLDER / DATA_NOTE
    data = DataFile(path) if isinstance(store, LocalStore) else FollowingFile(path, note)
    return JournalKeeper(env, store, data, PrivateFiles(private))


def _digest(data: bytes) -> Version:
    return hashlib.sha256(data).hexdigest()
