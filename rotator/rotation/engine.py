"""The loop: observe -> decide -> record the intent -> act -> poll -> verify -> record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from rotator.domain.errors import AwsError, Blocked, WaitingForApproval, WaitingForAws
from rotator.domain.progress import Progress
from rotator.journal.memory import JournalMemory
from rotator.journal.results import Result
from rotator.journal.step_record import Status, StepRecord
from rotator.report.live.interface import Reporter
from rotator.rotation.decide import Move, decide
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.interfaces import Clock
from rotator.rotation.steps.observation import Kind, Observation
from rotator.rotation.steps.step import AnyStep

T = TypeVar("T")
# How many looks may find nothing after an accepted call: AWS answers are eventually consistent for some seconds.
PATIENCE = 20
# How many looks may fail to reach AWS before the run stops.
LOOKS = 5
# Faults of AWS that pass by themselves.
PASSING = frozenset({"aws-unreachable", "aws-throttled", "aws-service"})


@dataclass
class _Run:
    """One step in this process: when it began, how much of it was waiting, how often nothing was found."""

    began: float
    started: str
    waited: float = 0.0
    misses: int = 0


class Engine:
    """Runs a tuple of steps against a journal. Stops at the first error; what was done stays recorded."""

    def __init__(self, memory: JournalMemory, reporter: Reporter, clock: Clock, poll_seconds: float) -> None:
        self._memory = memory
        self._reporter = reporter
        self._clock = clock
        self._poll = poll_seconds
        self.at: str | None = None
        """The step at work: the one that stopped the run, after an error. None before, between and after steps."""

    def run(self, ctx: Context, steps: Sequence[AnyStep]) -> None:
        """Take all steps to done or skipped. Raises the first RotatorError."""
        for step in steps:
            if self._settled(step):
                continue
            context = replace(ctx, progress=self._progress(step.name))
            self.at = step.name
            self._run_step(context, step)
            self.at = None

    def undo(self, ctx: Context, steps: Sequence[AnyStep]) -> None:
        """Take steps back in the given order; each is recorded as undone, so that a killed rollback goes on."""
        for step in steps:
            record = self._memory.record.step(step.name)
            if record.status is Status.UNDONE or (record.status is Status.NONE and record.result.empty):
                continue  # what another step noted in its name was begun, and must go as well
            run = _Run(self._clock.monotonic(), self._stamp())
            self.at = step.name
            self._reporter.start(step.name)
            what = self._take_back(replace(ctx, progress=self._progress(step.name)), step, run)
            record = self._memory.record.step(step.name)
            self._memory.put(
                step.name, replace(record, status=Status.UNDONE, reason=what, finished=self._stamp(), waited=run.waited)
            )
            seconds = self._clock.monotonic() - run.began
            self._reporter.done(step.name, what or "nothing to take back", seconds, run.waited)
            self.at = None

    def _take_back(self, ctx: Context, step: AnyStep, run: _Run) -> str:
        """What was taken back, in words. While AWS is at work it is waited for as in `run`; undo is idempotent."""
        what = step.undo(ctx)
        while not isinstance(what, str):
            self._wait(ctx, step, what, run)
            what = self._ride_out(ctx, run, partial(step.undo, ctx))
        return what

    def _progress(self, step: str) -> Progress:
        return lambda fraction, detail: self._reporter.progress(step, fraction, detail)

    def _settled(self, step: AnyStep) -> bool:
        if self._memory.status(step.name) is not Status.DONE:
            return False
        if step.once or step.rechecked_until is None:
            return step.once
        return self._memory.status(step.rechecked_until) in (Status.DONE, Status.SKIPPED)

    def _run_step(self, ctx: Context, step: AnyStep) -> None:
        run = _Run(self._clock.monotonic(), self._stamp())
        quiet = self._memory.status(step.name) is Status.DONE
        if not quiet:
            self._reporter.start(step.name)
        while True:
            seen = self._look(ctx, step, run)
            move = decide(self._memory.status(step.name), seen.kind)
            if move is Move.PROCEED:
                return
            if move is Move.SKIP:
                self._skip(step, seen, run)
                return
            if move is Move.VERIFY:
                self._finish(ctx, step, seen, run)
                return
            if move is Move.ACT:
                self._act(ctx, step, run)
            elif move is Move.WAIT:
                self._wait(ctx, step, seen, run)
            else:
                self._stop(move, step, seen)

    def _look(self, ctx: Context, step: AnyStep, run: _Run) -> Observation:
        """Observe: looking changes nothing, so it is done again where AWS does not answer for a while."""
        if self._memory.status(step.name) is Status.NONE:
            return step.observe(ctx)
        return self._ride_out(ctx, run, partial(step.observe, ctx))

    def _ride_out(self, ctx: Context, run: _Run, look: Callable[[], T]) -> T:
        """That look's answer; again for a while, as long as AWS does not give one."""
        for attempt in range(LOOKS):
            try:
                return look()
            except AwsError as fault:
                if fault.code not in PASSING or attempt == LOOKS - 1:
                    raise
                ctx.progress(None, f"{fault.what}; looking again")
                self._clock.wait(self._poll)
                run.waited += self._poll
        raise AssertionError("unreachable")

    def _act(self, ctx: Context, step: AnyStep, run: _Run) -> None:
        record = self._memory.record.step(step.name)
        started = record.started or run.started
        self._memory.put(step.name, replace(record, status=Status.INTENDED, started=started))
        step.act(ctx)
        record = self._memory.record.step(step.name)
        self._memory.put(step.name, replace(record, status=Status.ACTED))

    def _wait(self, ctx: Context, step: AnyStep, seen: Observation, run: _Run) -> None:
        run.misses = run.misses + 1 if seen.kind is Kind.ABSENT else 0
        if run.misses > PATIENCE:
            self._stop(Move.STOP_LOST, step, seen)
        step.attend(ctx)
        if ctx.options.no_wait:
            raise WaitingForAws(
                f"AWS is at work on step {step.name}: {seen.detail or 'in progress'}.",
                fix="Run the same command again later; it goes on from here.",
            )
        ctx.progress(seen.fraction, seen.detail)
        self._clock.wait(self._poll)
        run.waited += self._poll

    def _finish(self, ctx: Context, step: AnyStep, seen: Observation, run: _Run) -> None:
        result = step.verify(ctx, seen.result or self._memory.result(step.records))
        seconds = self._clock.monotonic() - run.began
        record = self._memory.record.step(step.name)
        done = StepRecord(
            Status.DONE, record.started or run.started, self._stamp(), record.seconds + seconds, run.waited, result
        )
        self._memory.put(step.name, done)
        self._reporter.done(step.name, step.words(result), seconds, run.waited)
        for warning in step.warnings(result):
            self._reporter.note(f"warning: {warning}")

    def _skip(self, step: AnyStep, seen: Observation, run: _Run) -> None:
        record = StepRecord(
            Status.SKIPPED, run.started, self._stamp(), result=seen.result or Result(), reason=seen.reason
        )
        self._memory.put(step.name, record)
        self._reporter.skipped(step.name, seen.reason)

    def _stop(self, move: Move, step: AnyStep, seen: Observation) -> None:
        if move is Move.ASK:
            raise WaitingForApproval(f"Step {step.name} waits for you: {seen.reason}", fix=seen.fix)
        if move is Move.STOP_CONFLICT:
            raise Blocked(f"Step {step.name}: {seen.reason}", fix=seen.fix, details=seen.details, code="conflict")
        raise Blocked(
            seen.reason or f"Step {step.name} is done in the journal, but its result does not exist.",
            why=seen.detail or "It was removed or undone outside of the tool.",
            fix=seen.fix or "Look at what happened; then take the rotation back with rollback, and start again.",
            code=seen.code if seen.code else "journal-against-world",
        )

    def _stamp(self) -> str:
        now: datetime = self._clock.now()
        return now.isoformat("T", "milliseconds")
