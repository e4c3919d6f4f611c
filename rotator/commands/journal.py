"""journal show, verify, pull, push; unlock: what a person does with a journal itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rotator.domain.errors import Blocked, UsageError
from rotator.journal.document import Journal
from rotator.journal.events import Event, broken
from rotator.journal.keeper import JournalKeeper
from rotator.journal.local import LocalStore
from rotator.journal.s3 import S3Store
from rotator.journal.store import Store


@dataclass(frozen=True)
class JournalStores:
    """An env's journal where [journal] says it is, and as a file of the env."""

    env: str
    keeper: JournalKeeper
    store: Store
    file: LocalStore


def show(stores: JournalStores) -> tuple[Journal, tuple[Event, ...]]:
    """The journal with its events."""
    journal = stores.keeper.load()
    return journal, stores.keeper.events


def as_text(journal: Journal, events: tuple[Event, ...], location: str) -> str:
    """For people: a line for each rotation and each event."""
    lines = [f"journal of {journal.env}: {location}"]
    lines += [f"  {record.rotation.id}: {record.phase}, begun {record.started}" for record in journal.rotations]
    lines += [_line(event) for event in events]
    return "\n".join(lines) + "\n"


def as_json(journal: Journal, events: tuple[Event, ...], location: str) -> dict[str, Any]:
    """For machines."""
    rotations = [{"id": r.rotation.id, "phase": str(r.phase), "started": r.started} for r in journal.rotations]
    return {"env": journal.env, "journal": location, "rotations": rotations, "events": [asdict(e) for e in events]}


def verify(stores: JournalStores) -> int:
    """How many events there are; raises Blocked when one was changed, removed or put in."""
    _, events = show(stores)
    number = broken(events)
    if number is not None:
        raise Blocked(
            f"Event {number} of {len(events)} in {stores.keeper.location} does not follow from the one before it.",
            why="It was changed, or an event before it was removed or put in.",
            fix="Compare with an older version (of the bucket, or in version control), and find out who changed it.",
            details=(_line(events[number - 1]).strip(),),
            code="journal-chain",
        )
    return len(events)


def pull(stores: JournalStores) -> str:
    """Copy the journal from the bucket to the env's file, which must not be another one; words."""
    _refuse_local(stores)
    found, here = stores.store.read(), stores.file.read()
    if found is None:
        raise Blocked(f"There is no journal at {stores.store.location}.", fix=f"rotator journal push {stores.env}")
    if here is not None and here.data != found.data:
        raise _two(stores, f"move {stores.file.location} away")
    if here is None:
        stores.file.write(found.data, None)
    return f"{stores.store.location} copied to {stores.file.location}: a copy to look at; commands use the bucket's"


def push(stores: JournalStores) -> str:
    """Move the env's file to the bucket, which must not hold a journal yet; words."""
    _refuse_local(stores)
    here, there = stores.file.read(), stores.store.read()
    if here is None:
        raise Blocked(f"There is no journal at {stores.file.location} to move.", fix=f"rotator status {stores.env}")
    if there is not None and there.data != here.data:
        raise _two(stores, f"delete {stores.file.location}, if the bucket's is the right one")
    if there is None:
        stores.store.write(here.data, None)
    stores.keeper.load()  # what cannot be read there is no journal: the file stays
    stores.file.path.unlink()
    return f"{stores.file.location} moved to {stores.store.location}; commit its removal"


def refuse_unmoved(stores: JournalStores) -> None:
    """Raise Blocked where the bucket is empty and the env's file is not: an empty journal would forget rotations."""
    if not isinstance(stores.store, LocalStore) and stores.store.read() is None and stores.file.read() is not None:
        raise Blocked(
            f"The journal of {stores.env} is still a file: {stores.file.location}.",
            why="[journal] s3 names a bucket that has no journal of this env yet.",
            fix=f"Move it: rotator journal push {stores.env}",
            code="journal-not-moved",
        )


def unlock(stores: JournalStores, actor: str, reason: str) -> str:
    """Take the env's lease from its holder, and write down who did that and why; words."""
    if not isinstance(stores.store, S3Store):
        raise UsageError(
            f"There is nothing to unlock in {stores.env}.",
            why="Its journal is a file: the kernel frees its lock when the process that holds it ends.",
            fix=f"Look who holds it: rotator status {stores.env}",
        )
    owner = stores.store.unlock()
    if owner is None:
        return f"nobody holds {stores.env}"
    stores.keeper.tell(actor, f"unlocked: was held by {owner.words}", reason)
    return f"{stores.env} is free: it was held by {owner.words}"


def _refuse_local(stores: JournalStores) -> None:
    if isinstance(stores.store, LocalStore):
        raise UsageError(
            f"The journal of {stores.env} is a file of the env.",
            why="rotation.toml has no [journal] s3.",
            fix='Set [journal] s3 = "s3://bucket/prefix" first.',
        )


def _two(stores: JournalStores, way: str) -> Blocked:
    return Blocked(
        f"{stores.store.location} and {stores.file.location} are different journals.",
        why="One would be written over.",
        fix=f"Compare them (rotator journal show {stores.env}), then {way}.",
        code="journal-twice",
    )


def _line(event: Event) -> str:
    where = f"{event.rotation} {event.step}".strip() or "-"
    return f"  {event.at}  {where}: {event.what}{f' ({event.evidence})' if event.evidence else ''} by {event.actor}"
