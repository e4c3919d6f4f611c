"""The data file of a clone whose journal is in a bucket: it may be behind, for other clones write the journal too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rotator.domain.root import RootData
from rotator.host.files import OWNER_FILE, own_folder, write_whole
from rotator.host.machine import on_this_machine
from rotator.journal.datafile import DataFile


class FollowingFile(DataFile):
    """What this clone itself wrote last is nobody's edit, whatever the journal says by now.

    `note` keeps the digests of the last two texts that it wrote: between note and file a kill leaves the older one.
    """

    def __init__(self, path: Path, note: Path) -> None:
        super().__init__(path)
        self._note = note
        self._noted: tuple[str, ...] | None = None

    def write(self, data: RootData) -> None:
        """The note first."""
        digest = self.digest(data)
        known = self._known()
        if known[-1:] != (digest,):
            self._noted = (*known[-1:], digest)
            with on_this_machine(f"{self._note} could not be written.", self._note):
                own_folder(self._note.parent)
                write_whole(self._note, "\n".join(self._noted) + "\n", mode=OWNER_FILE)
        super().write(data)

    def edited(self, root: RootData | None, pending: RootData | None, derived: tuple[str, ...]) -> tuple[str, ...]:
        """As DataFile.edited; empty also when the file is as this clone left it."""
        text = self._text()
        if text is not None and hashlib.sha256(text.encode()).hexdigest() in self._known():
            return ()
        return super().edited(root, pending, derived)

    def _known(self) -> tuple[str, ...]:
        if self._noted is None:
            with on_this_machine(f"{self._note} cannot be read.", self._note):
                try:
                    self._noted = tuple(self._note.read_text(encoding="utf-8").split())
                except FileNotFoundError:
                    self._noted = ()
        return self._noted
