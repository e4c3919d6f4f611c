"""Receives reports of a running rotation. The engine knows only this protocol; implementations are beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepState(StrEnum):
    """State of a step, as people see it."""

    TO_COME = "to-come"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class StepInfo:
    """One step of the live progress. `state` is that of an earlier run; `estimate_seconds` 0 means unknown."""

    name: str
    title: str
    estimate_seconds: float = 0.0
    state: StepState = StepState.TO_COME


class Reporter(Protocol):
    """Receives the events of a run. No method raises for a step that `begin` did not announce.

    Seconds are wall time; `waited_seconds` is the part of it that AWS took.
    """

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """A run begins; `steps` in their order."""
        ...

    def start(self, step: str) -> None:
        """A step begins, or begins again."""
        ...

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        """Progress of the step: 0..1, None if unknown. May be called often, and from another thread."""
        ...

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        """The step is done and its result is proved."""
        ...

    def skipped(self, step: str, reason: str) -> None:
        """The step was skipped; this never counts as passed."""
        ...

    def failed(self, step: str, message: str) -> None:
        """The step stopped the run."""
        ...

    def note(self, text: str) -> None:
        """One line that does not belong to a step."""
        ...

    def close(self) -> None:
        """The run is over; idempotent. Restores the terminal."""
        ...
