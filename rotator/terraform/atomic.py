"""Files that are there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from rotator.machine import on_this_machine


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text through a neighbour file that replaces `path` at last; folders are made. Raises MachineError."""
    with on_this_machine(f"{path.name} could not be written.", path):
        _write(path, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """The rename itself is durable only when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
