"""What a look at the world says of a step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rotator.journal.results import Result


class Kind(StrEnum):
    """What a look at the world says of a step."""

    ABSENT = "absent"
    IN_PROGRESS = "in-progress"
    SATISFIED = "satisfied"
    CONFLICT = "conflict"
    SKIPPED = "skipped"
    NEEDS_APPROVAL = "needs-approval"


@dataclass(frozen=True)
class Observation:
    """One look at the world. `fraction` 0..1 while in progress; `reason` and `fix` for conflicts, skips and gates.

    An absent one may have them too: they, and the error's `code`, are said when it stays absent for too long.
    `result`: all that the step shall have recorded; None where that is what it has noted already.
    """

    kind: Kind
    reason: str = ""
    fix: str = ""
    detail: str = ""
    fraction: float | None = None
    result: Result | None = None
    details: tuple[str, ...] = ()
    code: str = ""


def absent(detail: str = "") -> Observation:
    """Nothing of the step is there yet."""
    return Observation(Kind.ABSENT, detail=detail)


def satisfied(result: Result | None = None) -> Observation:
    """What the step is to bring about stands in the world."""
    return Observation(Kind.SATISFIED, result=result)


def in_progress(detail: str, fraction: float | None = None) -> Observation:
    """AWS is at work."""
    return Observation(Kind.IN_PROGRESS, detail=detail, fraction=fraction)


def conflict(reason: str, fix: str, details: tuple[str, ...] = ()) -> Observation:
    """The world contradicts what the step may find; a person must look."""
    return Observation(Kind.CONFLICT, reason=reason, fix=fix, details=details)


def skipped(reason: str, result: Result | None = None) -> Observation:
    """The step cannot or need not be done here; never to be read as passed."""
    return Observation(Kind.SKIPPED, reason=reason, result=result)


def needs_approval(reason: str, fix: str) -> Observation:
    """The rotation waits at a gate for a person."""
    return Observation(Kind.NEEDS_APPROVAL, reason=reason, fix=fix)
