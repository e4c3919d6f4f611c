"""Remove remains of an env's earlier rotations before the next one begins."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from rotator.commands.services import Services
from rotator.domain.errors import RotatorError
from rotator.journal.document import Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import CleanUpResult
from rotator.rotation.begin import untouched
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.retire.cleanup import clean


def clean_earlier(services: Services, record: RotationRecord, options: Options) -> None:
    """Before a rotation begins, remove what rolled back rotations have left on the same blue.

    Idle triggers that readers hold belong to this rotation then: it uses them and removes them at its end.
    """
    if services.databases is None or not untouched(services.keeper.load(), record):
        return
    for earlier in services.keeper.load().rotations:
        looked = earlier.result(CleanUpResult).left
        if earlier.phase is Phase.ROLLED_BACK and earlier.rotation.blue == record.rotation.blue and looked != ():
            memory = JournalMemory(services.keeper, earlier.rotation.id)
            with suppress(RotatorError):  # preflight reports the cause, or what still blocks
                left = clean(services.context(memory, earlier, options), 0.0)
                memory.note(CleanUpResult, partial(replace, left=left))
