"""What the write canary says at the end of a run: never treated as "nothing lost" when it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rotator.commands.services import Services
from rotator.domain.errors import DatabaseError, RotatorError

Heard = tuple[Mapping[str, Any] | None, tuple[str, ...]]
"""The write canary's report, or None and why there is none."""

UNKNOWN = "Whether writes were lost is NOT known."


def heard_of_canary(services: Services) -> Heard:
    """The write canary's report; tells the user what it waits for."""
    with services.waiting("waiting for the write canary's report"):
        return of_canary(services)


def of_canary(services: Services) -> Heard:
    """The canary's report, or the reason why there is none: never treated as "nothing lost"."""
    if services.canary is None:
        return None, ()
    try:
        report = services.canary()
        if report.get("lost") is None:
            return report, (
                f"The canary's tables could not be checked: {UNKNOWN} {report.get('problem') or ''}".strip(),
            )
        return report, ()
    except RotatorError as error:
        return None, (f"{error.what} {UNKNOWN} {error.why}",)


def refuse_lost_writes(services: Services, heard: Heard) -> None:
    """Raise DatabaseError when the canary misses a write, or has one twice."""
    report = heard[0] or {}
    if report.get("lost") or report.get("doubled"):
        raise DatabaseError(
            f"The write canary reports {report.get('lost')} lost and {report.get('doubled')} doubled writes.",
            why="The rotation is done, but not every write of the canary is there exactly once.",
            fix=f"Keep blue and every snapshot, and compare. Then: rotator rollback {services.env.name}, or rotate "
            "again to check the canary once more.",
            code="canary",
        )
