"""The store in a bucket: a journal that every machine of a team sees, and one run at a time on any of them.

Objects of an env, below the prefix: `ENV/journal.json` and `ENV/lease.json`. Versions are tags of the bucket's. A write
succeeds only where the journal still is as it was read and the lease is trusted: so of two runs one records what it is
about to do, and the other stops.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rotator.domain.env_files import JOURNAL_FILE, LEASE_FILE
from rotator.domain.errors import LockedError
from rotator.domain.objects import ObjectChanged, Objects
from rotator.journal.held import Clock, Held, take
from rotator.journal.lease import Owner, read_lease, released
from rotator.journal.store import JournalChanged, Stored, Version


@dataclass
class S3Store:
    """Implements journal.store.Store. `folder` is the env's, such as 'prefix/prod'; `ttl` the lease's, in seconds.

    `owner` tells who takes the lease for a verb, `on_wait` is told what is waited for.
    """

    objects: Objects
    folder: str
    owner: Callable[[str], Owner]
    clock: Clock
    ttl: float
    on_wait: Callable[[str], None] = lambda text: None
    _held: Held | None = field(default=None, init=False)

    @property
    def location(self) -> str:
        """URL of the journal."""
        return self._place(JOURNAL_FILE)

    @property
    def token(self) -> int:
        """That of the lease this run holds; 0 while it holds none."""
        return self._held.token if self._held else 0

    def read(self) -> Stored | None:
        """What the object holds."""
        found = self.objects.get(self._journal)
        return Stored(found.data, found.tag) if found else None

    def write(self, data: bytes, expected: Version | None) -> Version:
        """Replace the object. Raises LeaseLost before anything is sent when this run may have lost its lease."""
        if self._held is not None:
            self._held.check()
        try:
            return self.objects.put(self._journal, data, expected)
        except ObjectChanged:
            if self._held is not None:
                self._held.renew()  # where the lease is gone, that is the reason
            raise JournalChanged(self.location) from None

    @contextmanager
    def lock(self, verb: str) -> Iterator[None]:
        """Hold the env's lease, and renew it in a thread until the end."""
        held = take(
            self.objects, self._lease, self.owner(verb), self.ttl, self.clock, self._place(LEASE_FILE), self.on_wait
        )
        ended = threading.Event()
        beats = threading.Thread(target=held.keep, args=(ended,), name="lease", daemon=True)
        self._held = held
        beats.start()
        try:
            yield
        finally:
            ended.set()
            beats.join()
            held.give_back()
            self._held = None

    def renew(self) -> None:
        """Right before what cannot be undone. Raises LeaseLost, AwsError."""
        if self._held is not None:
            self._held.renew()

    def unlock(self) -> Owner | None:
        """Take the lease from whoever has it; who that was. A holder that is alive loses it at its next renewal."""
        found = self.objects.get(self._lease)
        lease = read_lease(found.data) if found else None
        if found is None or lease is None or lease.owner is None:
            return None
        try:
            self.objects.put(self._lease, released(lease, secrets.token_hex(16)).to_bytes(), found.tag)
        except ObjectChanged:
            raise LockedError(
                f"{self._place(LEASE_FILE)} is being renewed: its holder is alive.",
                why=f"Held by {lease.owner.words}.",
                fix="Stop that run. If it must lose the lease, run the same command again.",
            ) from None
        return lease.owner

    def holder(self) -> str | None:
        """Who holds the lease; None where it has not been renewed for its time to live, by the bucket's own clock."""
        found = self.objects.get(self._lease)
        try:
            lease = read_lease(found.data) if found else None
        except ValueError:
            return f"unknown: {self._place(LEASE_FILE)} cannot be read"
        if found is None or lease is None or lease.owner is None or found.age > lease.ttl:
            return None
        return lease.owner.words

    @property
    def _journal(self) -> str:
        return f"{self.folder}/{JOURNAL_FILE}"

    @property
    def _lease(self) -> str:
        return f"{self.folder}/{LEASE_FILE}"

    def _place(self, name: str) -> str:
        return f"s3://{self.objects.bucket}/{self.folder}/{name}"
