"""A clock for leases: seconds that grow while the machine sleeps, too."""

from __future__ import annotations

import time


def uptime() -> float:
    """Seconds since some start, whatever happens to the wall clock.

    Linux's monotonic clock stands still while a laptop sleeps, its boot-time clock does not (clock_gettime(2)); on
    macOS the monotonic clock goes on.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
