"""What happened to a journal, as a list that only grows: each event carries the digest of the one before. Pure.

The events follow from what a save changes, so no change is without one. Whoever alters, removes or reorders an event
breaks the chain; whoever cuts its end off does not: the versions of the bucket, or of version control, show that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rotator.journal.document import Journal, RotationRecord, journal_to_json
from rotator.journal.step_record import step_to_json

START = "0" * 64


@dataclass(frozen=True)
class Event:
    """One change. `at` in ISO 8601, UTC; `actor` by STS, "unknown" where it did not say; `evidence` is what there is to
    show: a digest of what was recorded, or words. `before` is the digest of the event before, `digest` its own.
    """

    at: str
    actor: str
    rotation: str
    step: str
    what: str
    evidence: str
    before: str = START
    digest: str = ""

    def chained(self, before: str) -> Event:
        """The same after an event with that digest."""
        placed = replace(self, before=before, digest="")
        return replace(placed, digest=_digest(asdict(placed)))


def changes(old: Journal | None, new: Journal, at: str) -> Iterator[Event]:
    """What is new, not chained yet; `old` None: everything."""
    actor = next((record.runs[-1].who for record in reversed(new.rotations) if record.runs), "unknown")
    known = {record.rotation.id: record for record in old.rotations} if old else {}
    for record in new.rotations:
        for step, what, evidence in _of_rotation(known.get(record.rotation.id), record):
            yield Event(at, actor, record.rotation.id, step, what, evidence)
    before, after = journal_to_json(old) if old else {}, journal_to_json(new)
    for name, what in (("root", "root changed"), ("pending", "stage begun or ended")):
        if before.get(name) != after[name]:
            yield Event(at, actor, "", "", what, _digest(after[name]))


def _of_rotation(old: RotationRecord | None, new: RotationRecord) -> Iterator[tuple[str, str, str]]:
    if old is None:
        yield "", "begun", new.rotation.nonce or ""
    if old is None or old.runs != new.runs:
        yield "", "run", new.runs[-1].words if new.runs else ""
    if old is not None and old.rotation != new.rotation:
        yield "", f"strategy {new.rotation.strategy}", ""
    if old is None or old.phase != new.phase:
        yield "", f"phase {new.phase}", ""
    for name, step in new.steps.items():
        if old is None or old.step(name) != step:
            yield name, str(step.status), _digest(step_to_json(step))


def extended(events: Sequence[Event], more: Iterable[Event]) -> tuple[Event, ...]:
    """The list with those events at its end."""
    found = list(events)
    for event in more:
        found.append(event.chained(found[-1].digest if found else START))
    return tuple(found)


def broken(events: Sequence[Event]) -> int | None:
    """The number (from 1) of the first event that is not what follows the one before; None when all are."""
    before = START
    for number, event in enumerate(events, start=1):
        if event != event.chained(before):
            return number
        before = event.digest
    return None


def events_from_json(found: Any) -> tuple[Event, ...]:
    """As a journal has them; none in journals of older versions. Raises ValueError."""
    try:
        return tuple(Event(**{name: str(value) for name, value in each.items()}) for each in found or ())
    except (TypeError, AttributeError) as fault:
        raise ValueError(f"its events are damaged: {fault}") from None


def _digest(value: Mapping[str, Any] | None) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
