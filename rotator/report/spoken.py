"""A reporter in front of another: it rewrites commands as the user can type them, and escapes control characters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rotator.report.live.interface import Reporter, StepInfo
from rotator.report.visible import visible


class SpokenReporter:
    """Wraps a reporter; `say` rewrites each text."""

    def __init__(self, inner: Reporter, say: Callable[[str], str]) -> None:
        self._inner = inner
        self._told = say

    def _say(self, text: str) -> str:
        return visible(self._told(text))

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """A run begins."""
        self._inner.begin(visible(rotation_id), tuple(replace(step, title=visible(step.title)) for step in steps))

    def start(self, step: str) -> None:
        """A step begins."""
        self._inner.start(step)

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        """Progress of the step."""
        self._inner.progress(step, fraction, self._say(detail))

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        """The step's result."""
        self._inner.done(step, self._say(result), seconds, waited_seconds)

    def skipped(self, step: str, reason: str) -> None:
        """Why the step was not done."""
        self._inner.skipped(step, self._say(reason))

    def failed(self, step: str, message: str) -> None:
        """The error that stopped the step."""
        self._inner.failed(step, self._say(message))

    def note(self, text: str) -> None:
        """One line."""
        self._inner.note(self._say(text))

    def close(self) -> None:
        """The run is over."""
        self._inner.close()
