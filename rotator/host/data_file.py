"""The root's data as the file that Terraform reads."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rotator.domain.root import RootData
from rotator.domain.root_json import to_text
from rotator.host.files import OWNER_FILE
from rotator.host.machine import write_file


def write_data(path: Path, data: RootData) -> None:
    """Write the file of `data`. Raises MachineError."""
    write_text(path, to_text(data))


def write_text(path: Path, text: str) -> None:
    """Write the file, whole or not at all; one that says so already is left as it is. Raises MachineError."""
    if not _says(path, text):
        write_file(path, text, mode=OWNER_FILE)


def _says(path: Path, text: str) -> bool:
    """Whether the file is there and is this text. One that cannot be read is written anew, which tells why."""
    with suppress(OSError):
        return path.read_bytes() == text.encode()
    return False
