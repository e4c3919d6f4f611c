"""Output that nobody reads any more must not stop a rotation: `make rotate | head`, or a log collector that died."""

from __future__ import annotations

import os
from typing import TextIO


def put(stream: TextIO, text: str) -> None:
    """Write and flush; when the reader is gone, this and all later output goes nowhere."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
