"""Where a journal's bytes are kept: the interface that every kind of store implements.

A store knows nothing of what the bytes mean. It gives each state of them a version, replaces them only where they still
are what the writer has seen, and lets one run at a time work on an env.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rotator.domain.errors import LockedError

Version = str
"""Opaque; equal versions mean equal bytes. A file's digest, an object's ETag."""


@dataclass(frozen=True)
class Stored:
    """What a store holds, and which version of it."""

    data: bytes
    version: Version


class Store(Protocol):
    """Keeps one env's bytes. Methods raise MachineError or AwsError where the place cannot be reached."""

    @property
    def location(self) -> str:
        """For people: where the bytes are."""
        ...

    def read(self) -> Stored | None:
        """What is kept; None when nothing is."""
        ...

    def write(self, data: bytes, expected: Version | None) -> Version:
        """Replace what is kept, durably, before returning; the new version.

        Only where it still is of the version `expected` (None: where nothing is kept); else raises JournalChanged and
        changes nothing. Compared and replaced in one: of two writers who expect the same, one succeeds.
        """
        ...

    def lock(self, verb: str) -> AbstractContextManager[None]:
        """Hold the env for a run of `verb`. Raises LockedError that names the holder; a holder's death frees it."""
        ...

    @property
    def token(self) -> int:
        """Of the lease that this run holds: higher than any before. 0 where the kernel keeps the lock."""
        ...

    def renew(self) -> None:
        """Make sure, right before what cannot be undone, that this run still holds the env. Raises LockedError."""
        ...

    def holder(self) -> str | None:
        """Who holds the env at this moment, in words; None when nobody does, or nobody can say."""
        ...


class JournalChanged(LockedError):
    """Somebody else has written the journal since it was read."""

    code = "journal-changed"

    def __init__(self, location: str) -> None:
        super().__init__(
            f"The journal {location} has changed while this command worked with it.",
            why="Another command, or a change by hand or by version control, has written it since. What this command "
            "has to say of its own work is not in it.",
            fix="Find out what wrote it, then run the same command again: it looks at AWS and the database first.",
        )
