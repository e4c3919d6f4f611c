"""Keys that an earlier rotation kept in the root's data, and changes that somebody else has made to them since.

Two envs may have adopted one key: each has it in its root, and the last to retire schedules its deletion. To the
other env's provider a key that is pending deletion is gone: every plan would create a new one, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rotator.aws.dependents import dependents
from rotator.commands.services import Services
from rotator.domain import root_edits as edits
from rotator.domain.aws import Key
from rotator.domain.errors import AwsError, Blocked, RotatorError
from rotator.domain.root import Stage
from rotator.journal.document import Journal, Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results import KeyResult
from rotator.journal.results_retire import RetireKeyResult
from rotator.rotation.begin import cut_off
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.retire.retire_key import SCHEDULED


@dataclass(frozen=True)
class _Kept:
    record: RotationRecord
    generation: str
    arn: str


def follow_kept_keys(services: Services) -> None:
    """Update the root's data to the real state of kept keys that somebody disabled, enabled, or scheduled for deletion.

    For verbs that begin work. Raises Blocked while anything is encrypted under a scheduled key: the deletion can be
    cancelled, and must be.
    """
    for kept in _kept(services.keeper.load()):
        looked, key = _look(services, kept)
        if not looked:
            continue
        if is_scheduled(key):
            _refuse_needed(services, kept, key)
        _follow(services, kept, key)


def follow_on_the_way(services: Services, memory: JournalMemory) -> None:
    """The same during a rotation or a rollback: the state of an earlier rotation's key stops neither.

    It warns, and raises only if Terraform was interrupted while it removed a key: no other stage may be applied then.
    """
    for kept in _kept(services.keeper.load()):
        try:
            looked, key = _look(services, kept)
            if looked:
                for line in _needed(services, kept) if key is not None and is_scheduled(key) else ():
                    services.reporter.note(f"warning: {_lost(kept, key)} {line}. {_save(kept)}")
                _follow(services, kept, key)
        except RotatorError as fault:
            if services.keeper.load().pending is not None:
                raise
            services.reporter.note(f"warning: the kept key {kept.arn} could not be checked: {fault.what} {fault.why}")
    memory.refresh()


def follow_states(services: Services) -> None:
    """For `plan`: as above, without an apply. Raises Blocked if the next verb removes a key."""
    for kept in _kept(services.keeper.load()):
        looked, key = _look(services, kept)
        if not looked:
            continue
        if is_scheduled(key):
            _refuse_needed(services, kept, key)
            raise Blocked(
                f"The key {kept.arn}, which was kept, {_state(key)}.",
                why="Somebody else has scheduled its deletion, so a plan of the root would create a new key.",
                fix=f"rotator rotate {services.env.name}, or retire, removes it from Terraform's data and continues.",
                code="kept-key-gone",
            )
        _follow(services, kept, key)


def is_scheduled(key: Key | None) -> bool:
    """Whether KMS will delete the key, or has deleted it."""
    return key is None or key.state in SCHEDULED


def _kept(journal: Journal) -> Iterator[_Kept]:
    """Keys without a database of their own in the root's data; while a stage is pending, the key that it removes."""
    root = journal.root
    if root is None:
        return
    for record in journal.rotations:
        if record.blue_gone:
            name, arn = record.rotation.source, record.result(KeyResult).old_key_arn
        elif record.phase is Phase.ROLLED_BACK:
            name, arn = record.rotation.target, record.result(KeyResult).key_arn
        else:
            continue
        if journal.pending not in (None, edits.without_generation(root, name)) or cut_off(journal, record):
            continue
        generation = root.generations.get(name)
        if generation is not None and generation.key is not None and generation.database is None and arn:
            yield _Kept(record, name, str(arn))


def _look(services: Services, kept: _Kept) -> tuple[bool, Key | None]:
    """Whether KMS answered, and the key. Without permission, the plan firewall still sees a difference."""
    try:
        return True, services.kms.key(kept.arn)
    except AwsError as fault:
        if fault.code != "aws-access-denied":
            raise
        services.reporter.note(f"warning: the kept key {kept.arn} could not be read: {fault.what} {fault.fix}")
        return False, None


def _follow(services: Services, kept: _Kept, key: Key | None) -> None:
    memory = JournalMemory(services.keeper, kept.record.rotation.id)
    if key is not None and not is_scheduled(key):
        _follow_state(memory, kept, key)
        return
    ctx = services.context(memory, kept.record, Options())
    ctx.apply(Stage.RETIRE_KEY, edits.without_generation(ctx.data, kept.generation))
    if kept.record.blue_gone:
        # Retire checks its uses once more.
        memory.note(RetireKeyResult, lambda known: replace(known, taken_out=True))
    services.reporter.note(
        f"the kept key {kept.arn} {_state(key)}, by somebody else: it is removed from Terraform's data"
    )


def _state(key: Key | None) -> str:
    return f"is {key.state}" if key is not None else "is gone"


def _follow_state(memory: JournalMemory, kept: _Kept, key: Key) -> None:
    if memory.pending() is not None:
        memory.unstage()  # it was scheduled when its removal began, and no longer is
    root = memory.root()
    known = root.generations[kept.generation].key if root is not None else None
    if root is None or known is None or key.state not in ("Enabled", "Disabled"):
        return
    enabled = key.state == "Enabled"
    if known.is_enabled is not enabled:
        memory.write_root(edits.edit_key(root, kept.generation, is_enabled=enabled))


def _refuse_needed(services: Services, kept: _Kept, key: Key | None) -> None:
    left = _needed(services, kept) if key is not None else ()  # a key that is gone cannot be saved
    if left:
        raise Blocked(
            _lost(kept, key),
            why="Somebody else has scheduled its deletion; this env had kept it for the resources below.",
            fix=f"{_save(kept)} Or delete these resources if you do not need them. Then run it again.",
            details=left,
            code="kept-key-scheduled",
        )


def _needed(services: Services, kept: _Kept) -> tuple[str, ...]:
    return dependents(
        kept.arn,
        snapshots=services.rds.snapshots(),
        automated_backups=services.rds.automated_backups(),
        instances=services.rds.instances(),
        database=kept.record.rotation.blue,
        delete_globs=(),
        own_snapshots=(),
    ).kept


def _lost(kept: _Kept, key: Key | None) -> str:
    date = f" on {key.deletion_date.isoformat(' ', 'minutes')}" if key is not None and key.deletion_date else ""
    return f"The key {kept.arn} will be deleted{date}, and what still uses it cannot be read without it."


def _save(kept: _Kept) -> str:
    return f"aws kms cancel-key-deletion --key-id {kept.arn}, then aws kms enable-key --key-id {kept.arn}."
