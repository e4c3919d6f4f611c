"""The gates: places where a rotation waits for a person. The one list; `--approve` answers with its names."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from rotator.domain.errors import UsageError


class Approval(StrEnum):
    """What a person can be asked to agree to; the value is what `--approve` takes."""

    FENCED = "fenced"
    NO_WAY_BACK = "no-way-back"
    LONG_PAUSE = "long-pause"
    DISABLE_KEY = "disable-key"
    BLUE_TOUCHED = "blue-touched"


MEANING = {
    Approval.FENCED: "all writers are stopped by hand",
    Approval.NO_WAY_BACK: "after the flip a rollback loses writes",
    Approval.LONG_PAUSE: "with strategy auto, writes pause from the snapshot to the flip",
    Approval.DISABLE_KEY: "the old key, which somebody enabled again by hand, is disabled once more",
    Approval.BLUE_TOUCHED: "what was written on blue past its fence since the flip goes with blue",
}
"""What one says yes to."""

ROTATE = (Approval.FENCED, Approval.LONG_PAUSE, Approval.NO_WAY_BACK)
RETIRE = (Approval.BLUE_TOUCHED, Approval.DISABLE_KEY)
ROLLBACK = (Approval.FENCED,)
"""The gates that a verb can come to."""


def names(gates: Iterable[Approval]) -> str:
    """The gates in one line, as the help lists them."""
    return ", ".join(gates)


def answers(verb: str, given: Iterable[str], gates: tuple[Approval, ...]) -> frozenset[str]:
    """The answers of a command line. Raises UsageError for what is no gate of that verb: nobody has agreed to it."""
    found = frozenset(given)
    unknown = sorted(found - set(gates))
    if unknown:
        raise UsageError(
            f"{verb} has no gate {unknown[0]!r}.",
            why="--approve answers a gate by its name; nothing was done.",
            fix="One of: " + "; ".join(f"{gate} ({MEANING[gate]})" for gate in gates) + ".",
            details=tuple(f"not a gate either: {name!r}" for name in unknown[1:]),
            code="unknown-gate",
        )
    return found
