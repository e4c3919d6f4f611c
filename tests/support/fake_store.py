"""A store of bytes in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rotator.domain.errors import LockedError
from rotator.journal.store import JournalChanged, Stored, Version


@dataclass
class Place:
    """What several stores share, as clones share a bucket."""

    stored: Stored | None = None
    holder: str | None = None
    alone: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class MemoryStore:
    """Implements journal.store.Store; versions are numbers."""

    place: Place = field(default_factory=Place)
    location: str = "memory"

    def read(self) -> Stored | None:
        return self.place.stored

    def write(self, data: bytes, expected: Version | None) -> Version:
        with self.place.alone:
            found = self.place.stored
            if (found.version if found else None) != expected:
                raise JournalChanged(self.location)
            self.place.stored = Stored(data, str(int(found.version) + 1 if found else 1))
            return self.place.stored.version

    @contextmanager
    def lock(self, verb: str) -> Iterator[None]:
        if self.place.holder is not None:
            raise LockedError(f"held by {self.place.holder}")
        self.place.holder = verb
        try:
            yield
        finally:
            self.place.holder = None

    @property
    def token(self) -> int:
        return 0

    def renew(self) -> None:
        """Nobody takes it."""

    def holder(self) -> str | None:
        return self.place.holder
