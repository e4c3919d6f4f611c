"""One env's journal: its document in a store, what may not be in it beside it, the root's data file derived from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Protocol

from rotator.domain.errors import Blocked
from rotator.journal.datafile import DataFile
from rotator.journal.document import Journal, journal_from_json, journal_to_json
from rotator.journal.events import Event, changes, events_from_json, extended
from rotator.journal.private import InMemory, Private
from rotator.journal.read import damaged, read_document
from rotator.journal.store import JournalChanged, Store, Version


class Keeper(Protocol):
    """Keeps one env's journal, and beside it what may not be in a journal."""

    @property
    def private(self) -> Private:
        """What may hold values of rows."""
        ...

    @property
    def location(self) -> str:
        """For people: where the journal is."""
        ...

    def load(self) -> Journal:
        """The journal; an empty one for an env that has none yet. Raises Blocked when it is damaged."""
        ...

    def save(self, journal: Journal) -> None:
        """Keep it, durably, before returning, and derive the root's data file. Raises JournalChanged."""
        ...

    def drop_data(self) -> None:
        """Remove the root's data file, of an env that has adopted nothing."""
        ...

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """What of the root's data file is neither the journal's nor the tool's, a line each; empty when all is."""
        ...

    def renew(self) -> None:
        """Make sure, right before what cannot be undone, that this run still holds the env. Raises LockedError."""
        ...


def _now() -> str:
    return datetime.now(UTC).isoformat("T", "milliseconds")


class JournalKeeper:
    """Keeps a journal as JSON in a store, with a data file that follows it.

    The document also keeps the digests of the data file's text as it was last written and as it was before: between the
    two writes of a save the file is one behind, and nothing else may differ from what the journal says.
    """

    def __init__(self, env: str, store: Store, data: DataFile, private: Private, now: Callable[[], str] = _now) -> None:
        self._env = env
        self._now = now
        self._store = store
        self._data = data
        self.private = private
        self._derived: tuple[str, ...] = ()
        self._version: Version | None = None
        self._token = 0
        self._last: Journal | None = None
        self._events: tuple[Event, ...] = ()
        self._told: Event | None = None
        self._at_work = False

    @property
    def location(self) -> str:
        """Where the store has it."""
        return self._store.location

    def load(self) -> Journal:
        """Read what is stored; raises Blocked when it is damaged, or another env's. In a run, JournalChanged."""
        stored = self._store.read()
        version = stored.version if stored else None
        if self._at_work and version != self._version:
            # Parts of this run stand on what was there before: they would write over what they have never read.
            raise JournalChanged(self.location)
        self._version = version
        if stored is None:
            self._last, self._events = None, ()
            return Journal(self._env)
        document = read_document(stored.data, self.location)
        journal = journal_from_json(document)
        if journal.env != self._env:
            raise Blocked(
                f"The journal {self.location} belongs to env {journal.env!r}, not {self._env!r}.",
                why="The folder was copied or renamed with its journal.",
                fix="Remove the copied journal and data file, or give the folder its old name.",
                code="journal-foreign",
            )
        self._token = int(document.get("token") or 0)
        self._last, self._events = journal, _events(document, self.location)
        self._derived = tuple(str(digest) for digest in document.get("derived") or ())
        return journal

    def save(self, journal: Journal) -> None:
        """Journal first, then the file derived from it: a kill in between is repaired by the next save or derive."""
        data = journal.pending or journal.root
        derived = (*((self._data.digest(data),) if data else ()), *self._derived[:1])
        fencing = {"token": self._token} if self._token else {}
        told, self._told = self._told, None
        events = extended(self._events, (*([told] if told else ()), *changes(self._last, journal, self._now())))
        document = {
            **journal_to_json(journal),
            **fencing,
            "events": [asdict(event) for event in events],
            "derived": list(dict.fromkeys(derived)),
        }
        text = json.dumps(document, indent=2, sort_keys=False) + "\n"
        self._version = self._store.write(text.encode(), self._version)
        self._derived, self._events, self._last = derived, events, journal
        self.derive(journal)

    @property
    def events(self) -> tuple[Event, ...]:
        """Of the journal as it was last read or written."""
        return self._events

    def tell(self, actor: str, what: str, evidence: str) -> None:
        """Write down what changes nothing else. Raises JournalChanged."""
        journal = self.load()
        self._told = Event(self._now(), actor, "", "", what, evidence)
        self.save(journal)

    def drop_data(self) -> None:
        """Remove the derived file."""
        self._data.drop()

    def renew(self) -> None:
        """Ask the store."""
        self._store.renew()

    def derive(self, journal: Journal) -> None:
        """Write the root's data as the journal has it."""
        data = journal.pending or journal.root
        if data is not None:
            self._data.write(data)

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """What of the data file somebody else has changed."""
        return self._data.edited(journal.root, journal.pending, self._derived)

    def take_up(self) -> None:
        """At a run's begin: write the data file anew. Raises Blocked, and writes nothing, when it was changed.

        From here on nobody else may write the journal.
        """
        journal = self.load()
        self._data.refuse_edited(self.edited(journal))
        self._at_work = True
        if self._version is not None and self._store.token:
            # A run before that still is at work, paused or cut off from the store, has read another journal than this.
            self._token = max(self._store.token, self._token + 1)
            self.save(journal)
        if journal.root is None and journal.pending is None:
            self.drop_data()  # of a look that was cut off
        self.derive(journal)


def _events(document: Mapping[str, Any], location: str) -> tuple[Event, ...]:
    try:
        return events_from_json(document.get("events"))
    except ValueError as fault:
        raise damaged(f"The journal {location} cannot be read.", f"{fault}.") from None


class Preview:
    """A journal that is kept nowhere: for verbs that only look."""

    location = "not written"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.private: Private = InMemory()

    def load(self) -> Journal:
        """The journal it was given."""
        return self._journal

    def save(self, journal: Journal) -> None:
        """Kept in memory alone."""
        self._journal = journal

    def drop_data(self) -> None:
        """There is no file."""

    def renew(self) -> None:
        """Nothing is changed."""

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """There is no file."""
        return ()
