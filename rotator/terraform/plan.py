"""`terraform show -json PLAN` -> what would change, without any value in it. Pure.

Guarding reads this and never the `-json` stream of a run, which calls forget and delete both "remove". (Terraform docs:
"JSON Output Format".)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.domain.json_object import JsonObject

NO_OP = ("no-op",)


@dataclass(frozen=True)
class Change:
    """One managed resource that the plan touches. No values: names of attributes only.

    `actions` are Terraform's: ("update",), ("delete", "create"), ("forget",), ("no-op",) for a pure import or move.
    `changed_attributes` are top-level names, for updates and replaces; `replace_paths` the dotted paths that force a
    replace. `deposed` is the key of a left-over object of an earlier replace, else None.
    """

    address: str
    actions: tuple[str, ...]
    changed_attributes: tuple[str, ...] = ()
    replace_paths: tuple[str, ...] = ()
    importing: bool = False
    previous_address: str | None = None
    deposed: str | None = None
    action_reason: str | None = None


@dataclass(frozen=True)
class Drift:
    """What changed in the world since the last apply, as Terraform noticed it; often harmless noise."""

    address: str
    actions: tuple[str, ...]
    changed_attributes: tuple[str, ...]


@dataclass(frozen=True)
class PlanSummary:
    """One saved plan. `unchanged` are addresses that exist and stay as they are; `outputs` names of changed outputs.

    `failed_checks` are lines "check: message". `digest` covers the changes with their values (hashed), not the file:
    two plans of the same changes have the same digest.
    """

    changes: tuple[Change, ...]
    unchanged: frozenset[str] = frozenset()
    drift: tuple[Drift, ...] = ()
    outputs: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    errored: bool = False
    complete: bool = True
    digest: str = ""

    @property
    def addresses_after(self) -> frozenset[str]:
        """What the state holds once the plan has been applied."""
        gone = (("delete",), ("forget",))
        return self.unchanged | {change.address for change in self.changes if change.actions not in gone}


def changes(show_json: JsonObject) -> PlanSummary:
    """Read a plan."""
    entries = [entry for entry in show_json.get("resource_changes", ()) if entry.get("mode") == "managed"]
    touched = [entry for entry in entries if _counts(entry)]
    return PlanSummary(
        changes=tuple(_change(entry) for entry in touched),
        unchanged=frozenset(entry["address"] for entry in entries if not _counts(entry)),
        drift=tuple(_drift(entry) for entry in show_json.get("resource_drift", ())),
        outputs=tuple(sorted(_outputs(show_json))),
        failed_checks=tuple(_failed_checks(show_json)),
        errored=bool(show_json.get("errored", False)),
        complete=bool(show_json.get("complete", True)),
        digest=_digest(touched),
    )


def _counts(entry: JsonObject) -> bool:
    """An import and a move are changes of the state, though their action may be no-op."""
    change = entry["change"]
    return (
        tuple(change["actions"]) != NO_OP
        or change.get("importing") is not None
        or entry.get("previous_address") is not None
        or entry.get("deposed") is not None
    )


def _change(entry: JsonObject) -> Change:
    change = entry["change"]
    return Change(
        address=entry["address"],
        actions=tuple(change["actions"]),
        changed_attributes=_changed_attributes(change),
        replace_paths=tuple(".".join(str(step) for step in path) for path in change.get("replace_paths", ())),
        importing=change.get("importing") is not None,
        previous_address=entry.get("previous_address"),
        deposed=entry.get("deposed"),
        action_reason=entry.get("action_reason"),
    )


def _changed_attributes(change: JsonObject) -> tuple[str, ...]:
    """Names whose value differs or is known only after apply; none for a plain create or delete."""
    before, after = change.get("before"), change.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return ()
    unknown = change.get("after_unknown") or {}
    names = {*before, *after, *unknown}
    return tuple(sorted(name for name in names if before.get(name) != after.get(name) or _any_true(unknown.get(name))))


def _any_true(tree: Any) -> bool:
    """`after_unknown` has the value's own shape, with True where it is unknown (and empty containers elsewhere)."""
    if isinstance(tree, Mapping):
        return any(_any_true(value) for value in tree.values())
    if isinstance(tree, list):
        return any(_any_true(value) for value in tree)
    return bool(tree)


def _drift(entry: JsonObject) -> Drift:
    change = entry["change"]
    return Drift(entry["address"], tuple(change["actions"]), _changed_attributes(change))


def _outputs(show_json: JsonObject) -> Iterable[str]:
    found = show_json.get("output_changes", {})
    return (name for name, change in found.items() if tuple(change.get("actions", NO_OP)) != NO_OP)


def _failed_checks(show_json: JsonObject) -> Iterable[str]:
    for check in show_json.get("checks", ()):
        name = check["address"]["to_display"]
        for instance in check.get("instances", ()):
            if instance.get("status") in {"fail", "error"}:
                messages = [problem.get("message", "") for problem in instance.get("problems", ())]
                yield f"{name}: {' '.join(messages) or instance['status']}"
        if check.get("status") in {"fail", "error"} and not check.get("instances"):
            yield f"{name}: {check['status']}"


def _digest(entries: Iterable[JsonObject]) -> str:
    """Only what the change is about: a `before` also holds times that differ between two plans of the same change."""
    essence = sorted((_essence(entry) for entry in entries), key=lambda item: (item["address"], str(item["deposed"])))
    text = json.dumps(essence, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _essence(entry: JsonObject) -> dict[str, Any]:
    change = entry["change"]
    before = change.get("before") or {}
    after = change.get("after")
    names = _changed_attributes(change) if before and isinstance(after, Mapping) else ()
    return {
        "address": entry["address"],
        "previous": entry.get("previous_address"),
        "deposed": entry.get("deposed"),
        "actions": change["actions"],
        "importing": change.get("importing"),
        "replace": change.get("replace_paths"),
        "id": before.get("id"),
        "from": {name: before.get(name) for name in names},
        "to": {name: after.get(name) for name in names} if names and after else after,
        "unknown": change.get("after_unknown") if not names else sorted(names),
    }
