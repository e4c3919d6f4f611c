"""Whether the journal knows this env's resources: a resource of a rotation that it does not know proves it incomplete.

Checked before anything else: every other refusal would trust the journal, and advise to change resources.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rotator.commands.kept_keys import follow_kept_keys
from rotator.commands.services import Services
from rotator.domain.env_files import DATA_FILE, STATE_FILE
from rotator.domain.errors import Blocked
from rotator.domain.naming import base_identifier
from rotator.journal.document import Journal


def whole_journal(services: Services) -> Journal:
    """The journal, once it is proved to be complete. Raises Blocked."""
    journal = services.keeper.load()
    refuse_unknown(services, journal)
    return journal


def followed_journal(services: Services) -> Journal:
    """The same, after it follows the real state of kept keys: for verbs that begin work, not for those that resume."""
    whole_journal(services)
    follow_kept_keys(services)
    return services.keeper.load()


def refuse_unknown(services: Services, journal: Journal) -> None:
    """Raise Blocked if this env has a resource that the journal does not know."""
    found = unknown(services, journal)
    if not found:
        return
    missing = is_empty(journal)
    raise Blocked(
        f"The journal of {services.env.name} is {'missing' if missing else 'behind'}.",
        why="This env has resources that no rotation in the journal has made: a run elsewhere made them.",
        fix=f"Restore {services.keeper.location}, with {DATA_FILE} beside it, from the last commit, the clone or the "
        "machine that made them, and run it again. Until then change neither the DNS record nor the resources "
        "named here. If it is lost for good, and no run is active anywhere: remove the tag rotator:env from them, or "
        'rename the env\'s folder; the steps are in docs/runbook.md, "A lost journal".',
        details=found,
        code="journal-missing" if missing else "journal-behind",
    )


def unknown(services: Services, journal: Journal) -> tuple[str, ...]:
    """Resources of this env that the journal does not know, one line each."""
    return (*_tagged(services, journal), *(_files(services) if is_empty(journal) else ()))


def is_empty(journal: Journal) -> bool:
    """Whether this is the journal of an env without any rotation or stage."""
    return not journal.rotations and journal.root is None and journal.pending is None


def _tagged(services: Services, journal: Journal) -> Iterator[str]:
    known = {(each.rotation.id, each.rotation.nonce) for each in journal.rotations}
    base = base_identifier(services.env.config.database.identifier)

    def strange(tags: Mapping[str, str], identifier: str) -> str:
        rotation, nonce = tags.get("rotator:rotation", ""), tags.get("rotator:nonce", "")
        if tags.get("rotator:env") != services.env.name or not rotation or base_identifier(identifier) != base:
            return ""
        return "" if (rotation, nonce) in known else f"made by rotation {rotation} (nonce {nonce or 'none'})"

    for instance in services.rds.instances():
        if words := strange(instance.tags, instance.identifier):
            yield f"instance {instance.identifier}, {words}"
    for snapshot in services.rds.snapshots():
        if words := strange(snapshot.tags, snapshot.instance_identifier):
            yield f"snapshot {snapshot.identifier}, {words}"
    alias = f"{services.env.config.key.alias}-g{journal.next_generation}"
    key = services.kms.key(alias)
    if key is not None and (words := strange(key.tags, base)):
        yield f"key {alias}, {words}"


def _files(services: Services) -> Iterator[str]:
    """Terraform's files beside a missing journal. Data with imports alone comes from `plan`, not from a rotation."""
    state = _read(services, STATE_FILE)
    if state.get("resources"):
        yield f"Terraform's state {STATE_FILE}, with {len(state['resources'])} resources"
    data = _read(services, DATA_FILE)
    if data.get("generations") and not any((data.get("imports") or {}).values()):
        yield f"{DATA_FILE}, with generations {', '.join(data['generations'])}"


def _read(services: Services, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads((services.env.path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
