"""Progress lines for work without other output: quick work prints nothing, slow work its name and time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rotator.report.pipes import put
from rotator.report.text import duration

FIRST_SECONDS, NEXT_SECONDS = 2.0, 10.0


@contextmanager
def pulse(
    stream: TextIO, text: str, *, first: float = FIRST_SECONDS, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """While the block runs: after `first` seconds a line with `text`, then one every ten seconds with the time."""
    over, began = threading.Event(), clock()

    def beat() -> None:
        if over.wait(first):
            return
        put(stream, f"{text} ...\n")
        while not over.wait(NEXT_SECONDS):
            put(stream, f"{text}: {duration(clock() - began)}\n")

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
