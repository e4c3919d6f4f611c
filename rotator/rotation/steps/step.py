"""What a step is: one unit of a rotation, which looks, acts, proves and takes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic

from rotator.journal.results import R, Result
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation

Undone = str | Observation
"""What was taken back, in words; or that AWS is still at work on it."""


class Step(ABC, Generic[R]):
    """One unit of a rotation: observe, act, verify, undo.

    `rechecked_until` names the step from whose completion on this one is no longer looked at again on a resume (its
    own name: never again; None: always). `once`: what it did cannot be seen in the world (a comparison, a time that was
    noted), so that once done it is never looked at again; every other step looks. `commits` marks a point of no return:
    what cannot be had back from then on, in words; empty where everything can. `records` is its result's kind.
    `estimate_seconds`: of a small database.
    """

    name: str
    title: str
    records: type[R] = Result  # type: ignore[assignment]  # of steps that record nothing
    commits: str = ""
    rechecked_until: str | None = None
    once: bool = False
    estimate_seconds: float = 5.0

    @property
    def reversible(self) -> bool:
        """Whether nothing is lost for good by it."""
        return not self.commits

    @abstractmethod
    def observe(self, ctx: Context) -> Observation:
        """Look at the world; change nothing."""

    def act(self, ctx: Context) -> None:
        """Start (or do) the work; called only when observe said absent. Raises RotatorError."""
        raise NotImplementedError(f"step {self.name} has nothing to do by itself")

    def verify(self, ctx: Context, result: R) -> R:
        """Prove the result; give what the journal shall keep. Raises Blocked when the proof fails."""
        return result

    def undo(self, ctx: Context) -> Undone:
        """Take back what the step did; idempotent; what was done, in words (empty: nothing).

        Where AWS is at work for it, in progress or absent: the engine waits, and calls it again.
        """
        return ""

    def attend(self, ctx: Context) -> None:
        """What cannot wait while AWS is at work: called before each wait of the engine. Idempotent; raises nothing."""

    def words(self, result: R) -> str:
        """The result in one line, for people."""
        return ""

    def warnings(self, result: R) -> tuple[str, ...]:
        """What people should know now that the step is done, a line each; the closing summary repeats it."""
        return ()


AnyStep = Step[Any]
"""Whatever it records."""
