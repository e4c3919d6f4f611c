"""Where the journal is kept. The local store: one file for its user alone, written atomically and synced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from rotator.domain.errors import Blocked
from rotator.host.files import narrow, write_private
from rotator.host.machine import on_this_machine
from rotator.journal.datafile import DataFile, digest
from rotator.journal.document import Journal, journal_from_json, journal_to_json
from rotator.journal.private import InMemory, Private, PrivateFiles
from rotator.journal.read import read_journal
from rotator.terraform.data import write_data

JOURNAL_FILE = "journal.json"
DATA_FILE = "generations.auto.tfvars.json"


class Store(Protocol):
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
        """Keep it, durably, before returning; also derive the root's data file."""
        ...

    def drop_data(self) -> None:
        """Remove the root's data file, of an env that has adopted nothing."""
        ...

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """What of the root's data file is neither the journal's nor the tool's, a line each; empty when all is."""
        ...


class LocalStore:
    """The journal as a file of the env, beside the data file that Terraform reads.

    The document also keeps the digests of the data file's text as it was last written and as it was before: between the
    two writes of a save the file is one behind, and nothing else may differ from what the journal says.
    """

    def __init__(self, env: str, folder: Path, private: Path | None = None) -> None:
        self._env = env
        self.private: Private = PrivateFiles(private or folder / ".rotator" / "private")
        self._path = folder / JOURNAL_FILE
        self._data = DataFile(folder / DATA_FILE)
        self._derived: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """Path of the journal."""
        return str(self._path)

    def load(self) -> Journal:
        """Read the file; raises Blocked when it is damaged."""
        document = read_journal(self._path)
        if document is None:
            return Journal(self._env)
        journal = journal_from_json(document)
        if journal.env != self._env:
            raise Blocked(
                f"The journal {self._path} belongs to env {journal.env!r}, not {self._env!r}.",
                why="The folder was copied or renamed with its journal.",
                fix="Remove the copied journal and data file, or give the folder its old name.",
                code="journal-foreign",
            )
        self._derived = tuple(str(digest) for digest in document.get("derived") or ())
        return journal

    def save(self, journal: Journal) -> None:
        """Journal first, then the file derived from it: a kill in between is mended by the next save or derive."""
        data = journal.pending or journal.root
        derived = (*((digest(data),) if data else ()), *self._derived[:1])
        document = {**journal_to_json(journal), "derived": list(dict.fromkeys(derived))}
        with on_this_machine("The journal could not be written.", self._path):
            write_private(self._path, json.dumps(document, indent=2, sort_keys=False) + "\n")
        self._derived = derived
        self.derive(journal)

    def drop_data(self) -> None:
        """Remove the derived file."""
        self._data.drop()

    def derive(self, journal: Journal) -> None:
        """Write the root's data as the journal has it."""
        data = journal.pending or journal.root
        if data is not None:
            write_data(self._data.path, data)

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """What of the data file somebody else has changed."""
        return self._data.edited(journal.root, journal.pending, self._derived)

    def take_up(self) -> None:
        """At a run's begin: write the data file anew. Raises Blocked, and writes nothing, when it was changed.

        Files that version control or an older rotator has left readable for others are narrowed first.
        """
        narrow(self._path, self._data.path, *self._path.parent.glob("*.tfstate*"), self._path.parent / ".rotator")
        journal = self.load()
        self._data.refuse_edited(self.edited(journal))
        if journal.root is None and journal.pending is None:
            self.drop_data()  # of a look that was cut off
        self.derive(journal)


class Preview:
    """A store that keeps nothing: for verbs that only look."""

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

    def edited(self, journal: Journal) -> tuple[str, ...]:
        """There is no file."""
        return ()
