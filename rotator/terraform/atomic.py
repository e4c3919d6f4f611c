"""Files that are there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from rotator.host.files import sync, write_private
from rotator.host.machine import on_this_machine


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write UTF-8 text through a neighbour file that replaces `path` at last; folders are made. Raises MachineError.

    `private`: for this user alone, whatever the file's mode was.
    """
    with on_this_machine(f"{path.name} could not be written.", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            write_private(path, text)
        else:
            _write(path, text)


def _write(path: Path, text: str) -> None:
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
    sync(path.parent)
