"""The moment at which a name leads elsewhere, seen as a client would see it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rotator.domain.errors import RotatorError

LOOK_SECONDS = 0.02
LONGEST_SECONDS = 300.0


class NameWatch:
    """Asks `there` every 20 ms in a thread of its own, until it is true or nobody wants to know any more."""

    def __init__(self, there: Callable[[], bool]) -> None:
        self._there = there
        self._at: float | None = None
        self._seen = threading.Event()
        self._stop = threading.Event()
        threading.Thread(target=self._look, name="watch-name", daemon=True).start()

    def changed(self, wait_seconds: float) -> float | None:
        """The monotonic time of the first look that found it true, waiting for it at most so long; ends the watch."""
        self._seen.wait(wait_seconds)
        self._stop.set()
        return self._at

    def _look(self) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not self._stop.wait(LOOK_SECONDS) and time.monotonic() < deadline:
            try:
                if self._there():
                    self._at = time.monotonic()
                    self._seen.set()
                    return
            except RotatorError:
                continue  # no answer is no sighting; the next look may have one
