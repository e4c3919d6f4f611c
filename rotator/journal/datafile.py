"""The root's data file as it is found: what in it is neither the journal's nor the tool's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rotator.domain.errors import Blocked, ConfigError
from rotator.domain.root import Imports, RootData
from rotator.domain.root_json import from_json, to_json, to_text
from rotator.host.data_file import write_text
from rotator.host.machine import on_this_machine

_SHOWN = 20
_NO_IMPORTS: Any = json.loads(json.dumps(asdict(Imports())))
"""As an applied stage leaves them."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class DataFile:
    """generations.auto.tfvars.json of one env."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[RootData, str] | None = None

    def digest(self, data: RootData) -> str:
        """Of the file's text, to know again what was written."""
        return _digest(self._text_of(data))

    def write(self, data: RootData) -> None:
        """Write it, whole or not at all; a file that says so already is left as it is. Raises MachineError."""
        write_text(self.path, self._text_of(data))

    def _text_of(self, data: RootData) -> str:
        """Made once for data that stays the same: a journal is saved some eighty times in a rotation."""
        if self._last is None or self._last[0] is not data:
            self._last = data, to_text(data)
        return self._last[1]

    def drop(self) -> None:
        """Remove it, if it is there."""
        with on_this_machine(f"{self.path.name} could not be removed.", self.path):
            self.path.unlink(missing_ok=True)

    def edited(self, root: RootData | None, pending: RootData | None, derived: tuple[str, ...]) -> tuple[str, ...]:
        """Empty when the file is not there, is what the journal says, or is what the tool wrote last (`derived`).

        Layout is nobody's business: a file that says the same in another way is the same, and what an older rotator did
        not write yet has its default. Before the journal knows anything, data that imports is what a `plan` that was
        killed had looked at.
        """
        text = self._text()
        if text is None or _digest(text) in derived:
            return ()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as fault:
            return (f"it is not JSON: {fault}" if text.strip() else "it is empty",)
        known = [to_json(data) for data in (pending, root) if data is not None]
        # What was imported leaves the journal's data with the same save that says so.
        known += [to_json(replace(data, imports=Imports())) for data in (pending, root) if data is not None]
        found = _filled(found)
        if not known:
            only_looked = isinstance(found, dict) and any((found.get("imports") or {}).values())
            return () if only_looked else ("the journal knows no generation yet, so nothing has been written there",)
        if found in known or _without_imports(found) in known:
            return ()
        return tuple(_differences(found, known[0]))[:_SHOWN]

    def refuse_edited(self, differences: tuple[str, ...]) -> None:
        """Raise Blocked when there are any."""
        if not differences:
            return
        raise Blocked(
            f"{self.path} is not what the journal says: {differences[0]}.",
            why="It is derived from the journal. Somebody edited it, or the two are of different clones or commits; "
            "Terraform would plan changes outside of any stage. Nothing has been changed.",
            fix="Take journal.json and this file from the same, newest commit. If the journal is right, "
            "remove this file: the next run writes it anew.",
            details=differences[1:],
            code="data-edited",
        )

    def _text(self) -> str | None:
        with on_this_machine(f"{self.path} cannot be read.", self.path):
            try:
                return self.path.read_bytes().decode("utf-8", errors="replace")
            except FileNotFoundError:
                return None


def _filled(found: Any) -> Any:
    """The same with its defaults; as it is when it is no data of a root."""
    try:
        return to_json(from_json(found))
    except ConfigError:
        return found


def _without_imports(found: object) -> object:
    return {**found, "imports": _NO_IMPORTS} if isinstance(found, dict) else found


def _differences(found: object, known: object, path: str = "") -> Iterator[str]:
    """`path: the file has x, the journal y`, a line each."""
    if isinstance(found, Mapping) and isinstance(known, Mapping):
        for name in dict.fromkeys((*known, *found)):
            below = f"{path}.{name}" if path else str(name)
            if name not in found:
                yield f"{below} is missing in the file"
            elif name not in known:
                yield f"{below} is in the file alone"
            else:
                yield from _differences(found[name], known[name], below)
    elif found != known or type(found) is not type(known):
        yield f"{path or 'the whole'}: the file has {_short(found)}, the journal {_short(known)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
