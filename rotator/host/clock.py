"""The real clock, behind the protocol that steps and engine are handed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements rotation.steps.interfaces.Clock."""

    def __init__(self) -> None:
        self._waited = 0.0

    @property
    def waited(self) -> float:
        """Seconds spent in `wait` so far."""
        return self._waited

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Pass the time between two looks at the world; Ctrl-C ends it."""
        began = time.monotonic()
        try:
            threading.Event().wait(seconds)
        finally:
            self._waited += time.monotonic() - began
