"""Plain lines, for pipes, log files and CI: one when a step starts, few while it runs, one when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

from rotator.report.live.board import Board
from rotator.report.live.interface import StepInfo, StepState
from rotator.report.pipes import put
from rotator.report.text import duration, percent, roughly

QUIET_SECONDS = 10.0
"""Between two progress lines of one step, at least."""

SILENT_SECONDS = 20.0
"""Without any line, at most, while a step is at work."""


class PlainReporter:
    """Writes to one text stream, a line at a time, flushed at once. Safe to call from several threads."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._board = Board()
        self._lock = threading.Lock()
        self._last_time = 0.0
        self._last_text = ""
        self._last_line = 0.0
        self._over: threading.Event | None = None

    def begin(self, rotation_id: str, steps: tuple[StepInfo, ...]) -> None:
        """Print the rotation, and the number of its finished steps."""
        with self._lock:
            self._board = Board(steps)
            behind = sum(step.state is not StepState.TO_COME for step in steps)
            done = f", {behind} of them before this run" if behind else ""
            left = self._board.left(self._clock())
            about = f", about {roughly(left)} for a small database" if left else ""
            self._write(f"rotation {rotation_id}: {len(steps)} steps{done}{about}")
        if self._over is None:
            self._over = threading.Event()
            threading.Thread(target=self._keep_beating, args=(self._over,), name="heartbeat", daemon=True).start()

    def start(self, step: str) -> None:
        """One line."""
        with self._lock:
            self._board.start(step, self._clock())
            self._last_time, self._last_text = self._clock(), ""
            info = self._board.step(step)
            estimate = f", about {duration(info.estimate_seconds)}" if info.estimate_seconds else ""
            self._write(f"{self._label(step)}: start ({info.title}{estimate})")

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        """At most one line every ten seconds, and only with new information."""
        with self._lock:
            text = " ".join(part for part in ("" if fraction is None else percent(fraction), detail) if part)
            now = self._clock()
            if not text or text == self._last_text or now - self._last_time < QUIET_SECONDS:
                return
            self._last_time, self._last_text = now, text
            self._write(f"{self._label(step)}: {text}")

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        """One line with the result."""
        waited = f", {duration(waited_seconds)} of it waiting for AWS" if waited_seconds else ""
        self._end(step, StepState.DONE, f"done in {duration(seconds)}{waited}{': ' + result if result else ''}")

    def skipped(self, step: str, reason: str) -> None:
        """One line with the reason."""
        self._end(step, StepState.SKIPPED, f"SKIPPED: {reason}")

    def failed(self, step: str, message: str) -> None:
        """One line; the whole error follows from the command line."""
        self._end(step, StepState.FAILED, f"FAILED: {message}")

    def note(self, text: str) -> None:
        """One line."""
        with self._lock:
            self._write(text)

    def beat(self) -> None:
        """One line after a silence: a log without new lines looks like a run that hangs."""
        with self._lock:
            now, running = self._clock(), self._board.running
            if running is None or now - self._last_line < SILENT_SECONDS:
                return
            self._write(f"{self._label(running.info.name)}: at work for {duration(int(now - running.began))}")

    def close(self) -> None:
        """Stop the progress thread; the stream stays open."""
        if self._over is not None:
            self._over.set()
            self._over = None

    def _keep_beating(self, over: threading.Event) -> None:
        while not over.wait(1.0):
            self.beat()

    def _end(self, step: str, state: StepState, text: str) -> None:
        with self._lock:
            self._board.finish(step, state)
            self._write(f"{self._label(step)}: {text}")

    def _label(self, step: str) -> str:
        number, total = self._board.place(step)
        return f"[{number}/{total}] {step}"

    def _write(self, line: str) -> None:
        self._last_line = self._clock()
        put(self._stream, line + "\n")
