"""Who is told what a rotation does. The engine knows this protocol alone; implementations lie beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepState(StrEnum):
    """Where a step stands, as people see it."""

    TO_COME = "to-come"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class StepInfo:
    """One step of the strip. `state` is where an earlier run left it; `estimate_seconds` 0 means unknown."""

    name: str
    title: str
    estimate_seconds: float = 0.0
    state: StepState = StepState.TO_COME


class Reporter(Protocol):
    """Told of a run as it happens. Nothing here raises for a step that `begin` did not announce.

    Seconds are wall time; `waited_seconds` is the part of it in which AWS was at work.
    """

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """A run begins; `steps` in their order."""
        ...

    def start(self, step: str) -> None:
        """A step begins, or begins again."""
        ...

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        """How far the step is: 0..1, None when nobody can say. May be called often, and from another thread."""
        ...

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        """The step's result stands and is proved."""
        ...

    def skipped(self, step: str, reason: str) -> None:
        """The step was not done, which is never to be read as passed."""
        ...

    def failed(self, step: str, message: str) -> None:
        """The step stopped the run."""
        ...

    def note(self, text: str) -> None:
        """One line that belongs to no step."""
        ...

    def close(self) -> None:
        """The run is over; idempotent. The terminal is left as it was found."""
        ...
