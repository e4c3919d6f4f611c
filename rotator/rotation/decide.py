"""The decider: from a step's record and a look at the world to the next move. Pure.

Invariants (tests/unit/rotation/test_decide.py proves them for every combination):
- reality beats the journal: what the journal calls done and the world calls absent is a conflict, never a silent redo;
- nothing is acted upon unless the world said absent, and never twice within one attempt;
- a conflict in the world always stops.
"""

from __future__ import annotations

from enum import StrEnum

from rotator.journal.step_record import Status
from rotator.rotation.steps.observation import Kind


class Move(StrEnum):
    """What the engine does next."""

    ACT = "act"
    WAIT = "wait"
    VERIFY = "verify"
    PROCEED = "proceed"
    SKIP = "skip"
    ASK = "ask"
    STOP_CONFLICT = "stop-conflict"
    STOP_LOST = "stop-lost"


_OPEN = frozenset({Status.NONE, Status.INTENDED, Status.UNDONE, Status.SKIPPED})


def decide(status: Status, kind: Kind) -> Move:
    """The next move for a step that the journal has at `status` and the world shows as `kind`."""
    if kind is Kind.CONFLICT:
        return Move.STOP_CONFLICT
    if kind is Kind.SKIPPED:
        return Move.PROCEED if status is Status.DONE else Move.SKIP
    if kind is Kind.IN_PROGRESS:
        return Move.WAIT
    if kind is Kind.SATISFIED:
        return Move.PROCEED if status is Status.DONE else Move.VERIFY
    if kind is Kind.NEEDS_APPROVAL:
        return Move.STOP_LOST if status is Status.DONE else Move.ASK
    if status is Status.DONE:
        return Move.STOP_LOST
    return Move.ACT if status in _OPEN else Move.WAIT
