"""Output that nobody reads any more, or that finds no space, must not stop a rotation: `make rotate | head`."""

from __future__ import annotations

import os
from typing import TextIO

from rotator.report.visible import visible


def put(stream: TextIO, text: str) -> OSError | None:
    """Write and flush, with what a terminal would obey spelt out.

    When the reader is gone or the disk is full, this and all later output goes nowhere.

    Returns what kept somebody from reading it: for those whose output is the whole result.
    """
    try:
        stream.write(visible(text))
        stream.flush()
    except OSError as fault:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return None if isinstance(fault, BrokenPipeError) else fault
    return None
