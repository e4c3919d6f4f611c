"""Who runs a command that changes something: noted in the journal before the first change."""

from __future__ import annotations

from rotator import __version__
from rotator.commands.services import Services
from rotator.domain.errors import RotatorError
from rotator.journal.document import RotationRecord, Run
from rotator.journal.memory import JournalMemory

UNKNOWN = "unknown"


def sign(services: Services, memory: JournalMemory, verb: str) -> None:
    """Note caller, host and version. A refusal by STS is not a failure: the call may be forbidden."""
    try:
        who = services.identity.caller().arn
    except RotatorError:
        who = UNKNOWN
    now = services.clock.now().isoformat("T", "seconds")
    memory.ran(Run(verb, who, services.place(), __version__, now, now))


def last_run(record: RotationRecord | None) -> str:
    """The last command in words; empty if none is known, as in journals of older versions."""
    return record.runs[-1].words if record and record.runs else ""
