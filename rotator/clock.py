"""The real clock, behind the protocol that steps and engine are handed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements steps.base.Clock."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Pass the time between two looks at the world; Ctrl-C ends it."""
        threading.Event().wait(seconds)
