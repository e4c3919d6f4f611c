"""For `status`: the states of old keys that retire has disabled or kept, of earlier rotations too."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.commands.services import Services
from rotator.domain.errors import RotatorError
from rotator.journal.document import Journal, Phase, RotationRecord
from rotator.journal.keeper import Preview
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import RetireKeyResult
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.retire.old_key import may_be_scheduled, old_key, state_in_words


def old_keys(services: Services, journal: Journal, shown: RotationRecord | None, unknown: list[str]) -> Iterator[str]:
    """A line for each key that waits, and for the key of the rotation `shown`; failed checks go to `unknown`."""
    for record in journal.rotations:
        waits = record.blue_gone and record.phase is not Phase.RETIRED
        if not waits and record is not shown:
            continue
        ctx, why = _context(services, journal, record), record.step(RetireKeyResult.step).reason
        try:
            words = state_in_words(ctx, why if record.phase is Phase.KEY_KEPT else "")
        except RotatorError as error:
            unknown.append(f"the old key: {error.what}")
            continue
        arn = old_key(ctx)
        if words or (waits and arn):
            yield words or f"{arn}: {why or record.phase}"


def one_is_due(services: Services, journal: Journal) -> bool:
    """Whether the deletion of a disabled key can be scheduled now."""
    return any(
        record.phase is Phase.KEY_DISABLED and may_be_scheduled(_context(services, journal, record))
        for record in journal.rotations
    )


def _context(services: Services, journal: Journal, record: RotationRecord) -> Context:
    return services.context(JournalMemory(Preview(journal), record.rotation.id), record, Options())
