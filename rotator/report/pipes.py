"""A closed pipe or a full disk behind the output must not stop a rotation: `make rotate | head`."""

from __future__ import annotations

import os
from typing import TextIO

from rotator.report.visible import visible


def put(stream: TextIO, text: str) -> OSError | None:
    """Write and flush, with control characters escaped.

    If the reader is gone or the disk is full, this and all later output is discarded.

    Returns the error that prevented the output, for callers whose output is their only result.
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
