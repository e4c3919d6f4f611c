"""Time that passes at once, and a reporter that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fake_world import World


@dataclass
class FakeClock:
    world: World
    waited: float = 0.0

    def now(self) -> datetime:
        self.world.time += timedelta(milliseconds=1)
        return self.world.time

    def monotonic(self) -> float:
        return self.world.time.timestamp()

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.world.time += timedelta(seconds=seconds)


@dataclass
class RecordingReporter:
    lines: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, rotation_id: str, steps: tuple[Any, ...]) -> None:
        self.lines.append(("begin", rotation_id))

    def start(self, step: str) -> None:
        self.lines.append(("start", step))

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        self.lines.append(("progress", step))

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        self.lines.append(("done", step))

    def skipped(self, step: str, reason: str) -> None:
        self.lines.append(("skipped", step))

    def failed(self, step: str, message: str) -> None:
        self.lines.append(("failed", step))

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def close(self) -> None:
        self.lines.append(("close", ""))

    def said(self, kind: str) -> list[str]:
        return [text for said, text in self.lines if said == kind]
