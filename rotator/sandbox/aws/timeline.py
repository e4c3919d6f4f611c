"""How a status changes with time: computed from a clock when it is read, so that no thread sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rotator.config.schema import SandboxConfig

Clock = Callable[[], float]
"""Seconds, monotonic."""


@dataclass(frozen=True)
class Durations:
    """How long the local AWS takes, in seconds."""

    create: float
    snapshot: float
    copy: float
    restore: float
    modify: float
    delete: float

    @classmethod
    def of(cls, config: SandboxConfig) -> Durations:
        """From [sandbox]: a modification takes a third of a creation, a deletion as long as a snapshot."""
        return cls(
            create=config.create_seconds,
            snapshot=config.snapshot_seconds,
            copy=config.copy_seconds,
            restore=config.restore_seconds,
            modify=config.create_seconds / 3,
            delete=config.snapshot_seconds,
        )


@dataclass(frozen=True)
class Timeline:
    """A row of passing statuses with their lengths in seconds, and the status that stays."""

    began: float
    passing: tuple[tuple[str, float], ...]
    final: str

    def status(self, now: float) -> str:
        """The status at `now`."""
        ends = self.began
        for name, seconds in self.passing:
            ends += seconds
            if now < ends:
                return name
        return self.final

    def percent(self, now: float) -> int:
        """0-99 during the passing statuses, 100 once the final status is reached."""
        whole = sum(seconds for _, seconds in self.passing)
        if self.over(now) or whole <= 0:
            return 100
        return min(99, max(0, int(100 * (now - self.began) / whole)))

    def over(self, now: float) -> bool:
        """Whether the final status is reached."""
        return now >= self.began + sum(seconds for _, seconds in self.passing)

    def left(self, now: float) -> float:
        """Seconds until the final status is reached."""
        return max(0.0, self.began + sum(seconds for _, seconds in self.passing) - now)


def settled(status: str) -> Timeline:
    """A status that is reached already."""
    return Timeline(0.0, (), status)
