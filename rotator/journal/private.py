"""What may hold values of rows: files for this user alone, outside of what is committed. Each of them may be lost.

Whoever reads them must be able to do without: nothing here is the only copy of a fact that a rotation needs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

from rotator.host.files import OWNER_FILE, own_folder, write_whole
from rotator.host.machine import on_this_machine
from rotator.host.trust import read_private

_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")


class Private(Protocol):
    """JSON values by rotation and word."""

    def keep(self, rotation: str, word: str, value: Any) -> None:
        """Keep a JSON value in place of the one before. Raises MachineError."""
        ...

    def kept(self, rotation: str, word: str) -> Any:
        """The value; None when it is not there or cannot be read."""
        ...

    def forget(self, rotation: str) -> None:
        """Remove all of a rotation."""
        ...


class PrivateFiles:
    """A folder (0700) of files (0600), which tells version control to leave it out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, rotation: str, word: str, value: Any) -> None:
        """Write the file anew."""
        with on_this_machine("The ranges to compare again could not be saved.", self._folder):
            own_folder(self._folder)
            write_whole(self._folder / ".gitignore", "*\n", mode=OWNER_FILE)
            write_whole(self._path(rotation, word), json.dumps(value) + "\n", mode=OWNER_FILE)

    def kept(self, rotation: str, word: str) -> Any:
        """Read the file; one that another user could have written counts as lost."""
        try:
            return json.loads(read_private(self._path(rotation, word)))
        except (OSError, ValueError, RecursionError):
            return None

    def forget(self, rotation: str) -> None:
        """Remove its files."""
        with on_this_machine("The ranges to compare again could not be deleted.", self._folder):
            for path in self._folder.glob(f"{_plain(rotation)}.*.json"):
                path.unlink(missing_ok=True)

    def _path(self, rotation: str, word: str) -> Path:
        return self._folder / f"{_plain(rotation)}.{word}.json"


class InMemory:
    """For verbs that only look."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Any] = {}

    def keep(self, rotation: str, word: str, value: Any) -> None:
        """Hold it."""
        self._held[rotation, word] = value

    def kept(self, rotation: str, word: str) -> Any:
        """What is held."""
        return self._held.get((rotation, word))

    def forget(self, rotation: str) -> None:
        """Drop it."""
        self._held = {key: value for key, value in self._held.items() if key[0] != rotation}


def _plain(rotation: str) -> str:
    return _PLAIN.sub("_", rotation)
