"""The data of the live progress: every step with its state, and the running one. No I/O, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rotator.report.live.interface import StepInfo, StepState


@dataclass(frozen=True)
class Running:
    """The running step. `began` in seconds of the caller's monotonic clock; `fraction` 0..1 or None (unknown)."""

    info: StepInfo
    began: float
    fraction: float | None = None
    detail: str = ""


RELIABLE_SECONDS = 5.0
"""Below this fraction, the remaining time cannot be estimated."""


class Board:
    """Steps in order. A step that was not announced is added at the end with its first report."""

    def __init__(self, steps: tuple[StepInfo, ...] = ()) -> None:
        self._steps: dict[str, StepInfo] = {step.name: step for step in steps}
        self.running: Running | None = None

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        """All steps as they stand now."""
        return tuple(self._steps.values())

    def step(self, name: str) -> StepInfo:
        """That step; an empty one if it was never announced."""
        return self._steps.get(name, StepInfo(name, name))

    def place(self, name: str) -> tuple[int, int]:
        """(number of the step from 1, how many there are)."""
        if name not in self._steps:
            self._steps[name] = StepInfo(name, name)
        return list(self._steps).index(name) + 1, len(self._steps)

    def left(self, now: float) -> float:
        """Remaining seconds by the steps' estimates for a small database; for the running one by its fraction."""
        to_come = sum(step.estimate_seconds for step in self.steps if step.state is StepState.TO_COME)
        running = self.running
        if running is None:
            return to_come
        elapsed = now - running.began
        if running.fraction and elapsed >= RELIABLE_SECONDS:
            return to_come + elapsed * (1 - running.fraction) / running.fraction
        return to_come + max(0.0, running.info.estimate_seconds - elapsed)

    def start(self, name: str, now: float) -> Running:
        """Mark the step as running."""
        self._set(name, StepState.RUNNING)
        self.running = Running(self.step(name), now)
        return self.running

    def progress(self, name: str, fraction: float | None, detail: str, now: float) -> None:
        """Set the step's progress. A finished step that waits again becomes the running one."""
        running = self.running
        if running is None or running.info.name != name:
            running = self.start(name, now)
        self.running = replace(running, fraction=fraction, detail=detail)

    def finish(self, name: str, state: StepState) -> None:
        """The step ended in that state."""
        self._set(name, state)
        if self.running is not None and self.running.info.name == name:
            self.running = None

    def _set(self, name: str, state: StepState) -> None:
        self._steps[name] = replace(self.step(name), state=state)
