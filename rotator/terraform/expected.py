"""What each stage may change, from the root's data before and after it. Pure.

`before` is the data of the last stage that was applied (the journal's), not whatever the file holds after a killed run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from rotator.domain.addresses import GATE, RECORD, alias, also, database, key
from rotator.domain.root import Generation, RootData, Stage

Actions = tuple[str, ...]

CREATE: Actions = ("create",)
UPDATE: Actions = ("update",)
DELETE: Actions = ("delete",)
REPLACE: tuple[Actions, ...] = (("delete", "create"), ("create", "delete"))


@dataclass(frozen=True)
class Expected:
    """One change that a stage may make.

    `actions` as in the plan, `also` other action lists that are as good; `attributes` may change in an update (None:
    any). `importing`: the resource comes into the state (its actions no-op or update). `optional`: may be missing
    without being done. `needs`: an address that must be created in the same plan (the flip never without its gate).
    """

    address: str
    actions: tuple[str, ...]
    attributes: frozenset[str] | None = None
    optional: bool = False
    also: tuple[tuple[str, ...], ...] = ()
    importing: bool = False
    needs: str | None = None


_DATABASE_OWN = frozenset(
    {"apply_immediately", "delete_automated_backups", "final_snapshot_identifier", "skip_final_snapshot", "timeouts"}
)
_KEY_OWN = frozenset({"bypass_policy_lockout_safety_check", "deletion_window_in_days", "timeouts"})
_RECORD_OWN = frozenset({"allow_overwrite", "timeouts"})
"""Arguments that live in the provider and the state alone: AWS does not know them, so an import cannot read them."""


def expected(stage: Stage, before: RootData, after: RootData) -> tuple[Expected, ...]:
    """The changes of a stage that leads from `before` to `after`; the plan may hold these and nothing else."""
    return (*_STAGES[stage](before, after), *_leftover_gate(stage, before, after))


def describe(stage: Stage, before: RootData, after: RootData) -> tuple[str, ...]:
    """The expected changes as lines for people: `+` create, `~` update, `-` delete, `<` import."""
    return tuple(_line(item) for item in expected(stage, before, after) if not item.optional)


def _line(item: Expected) -> str:
    if item.importing:
        return f"< {item.address}"
    sign = {CREATE: "+", UPDATE: "~", DELETE: "-"}[item.actions]
    names = f" ({', '.join(sorted(item.attributes))})" if item.attributes and item.actions == UPDATE else ""
    return f"{sign} {item.address}{names}"


def _adopt(before: RootData, after: RootData) -> Iterable[Expected]:
    imports = after.imports
    for addresses, own in (
        ([key(name) for name in imports.keys], _KEY_OWN),
        ([alias(name) for name in imports.aliases], frozenset[str]()),
        ([database(name) for name in imports.databases], _DATABASE_OWN),
        ([RECORD] if imports.record else [], _RECORD_OWN),
        ([also(name) for name in imports.also], _RECORD_OWN),
    ):
        yield from (Expected(address, UPDATE, own, importing=True) for address in addresses)


def _key(before: RootData, after: RootData) -> Iterable[Expected]:
    """Gained, or taken in: a rollback's data has it already, where only Terraform's state does not."""
    gained = dict(_gained(before, after, lambda item: item.key))
    for name, generation in after.generations.items():
        if name in gained or name in after.imports.keys:
            yield _made(key(name), name in after.imports.keys)
        if generation.key is None or generation.key.alias is None:
            continue
        if name in gained or name in after.imports.aliases:
            yield _made(alias(name), name in after.imports.aliases)


def _green(before: RootData, after: RootData) -> Iterable[Expected]:
    """As `_key`."""
    gained = dict(_gained(before, after, lambda item: item.database))
    for name in after.generations:
        if name in gained or name in after.imports.databases:
            yield _made(database(name), name in after.imports.databases)


def _made(address: str, imported: bool) -> Expected:
    """Something new, or something that a killed run made and the state does not hold: imported, and finished.

    It is nobody's yet, so finishing may change any attribute of it, and may replace a half-made (tainted) one.
    """
    return Expected(address, UPDATE, importing=True) if imported else Expected(address, CREATE, also=(*REPLACE, UPDATE))


def _ttl(before: RootData, after: RootData) -> Iterable[Expected]:
    if before.endpoint.ttl != after.endpoint.ttl:
        yield Expected(RECORD, UPDATE, frozenset({"ttl"}))
    old = {record.key: record.ttl for record in before.also}
    for record in after.also:
        if old.get(record.key) != record.ttl:
            yield Expected(also(record.key), UPDATE, frozenset({"ttl"}))


def _flip(before: RootData, after: RootData) -> Iterable[Expected]:
    """The records never without the gate: a gate that is already passed (a cut-off apply) must be made anew.

    An aborted gate is left tainted in the state, so that the next one replaces it; that destroys nothing but a marker.
    """
    for address in (RECORD, *(also(record.key) for record in after.also)):
        yield Expected(address, UPDATE, frozenset({"records"}), needs=GATE)
    yield Expected(GATE, CREATE, also=REPLACE)


def _unprotect(before: RootData, after: RootData) -> Iterable[Expected]:
    attributes = frozenset(
        {"deletion_protection", "skip_final_snapshot", "delete_automated_backups", "final_snapshot_identifier"}
    )
    for name, generation in after.generations.items():
        old = before.generations.get(name)
        if old is not None and old.database is not None and old.database != generation.database and generation.database:
            yield Expected(database(name), UPDATE, attributes | {"apply_immediately"})


def _rollback_unprotect(before: RootData, after: RootData) -> Iterable[Expected]:
    """As `_unprotect`; but what is removed next may be half-made or changed by hand: any attribute may change."""
    for item in _unprotect(before, after):
        goes = any(
            item.address == database(name) and each.database is not None and each.database.skip_final_snapshot
            for name, each in after.generations.items()
        )
        yield replace(item, attributes=None) if goes else item


def _retire_database(before: RootData, after: RootData) -> Iterable[Expected]:
    return (Expected(database(name), DELETE) for name, _ in _gained(after, before, lambda item: item.database))


def _disable_key(before: RootData, after: RootData) -> Iterable[Expected]:
    for name, generation in after.generations.items():
        old = before.generations.get(name)
        if old is not None and old.key is not None and generation.key is not None and old.key != generation.key:
            yield Expected(key(name), UPDATE, frozenset({"is_enabled", "deletion_window_in_days"}))


def _retire_key(before: RootData, after: RootData) -> Iterable[Expected]:
    for name, generation in _gained(after, before, lambda item: item.key):
        yield Expected(key(name), DELETE)
        if generation.key is not None and generation.key.alias is not None:
            yield Expected(alias(name), DELETE)


def _rollback(before: RootData, after: RootData) -> Iterable[Expected]:
    yield from _retire_database(before, after)
    yield from _retire_key(before, after)
    yield from _ttl(before, after)


def _leftover_gate(stage: Stage, before: RootData, after: RootData) -> Iterable[Expected]:
    """A gate that is no longer in the data goes with any stage: it is a marker, and an abort leaves it behind."""
    if after.gate is None:
        yield Expected(GATE, DELETE, optional=before.gate is None)


def _gained(
    less: RootData, more: RootData, part: Callable[[Generation], object | None]
) -> Iterable[tuple[str, Generation]]:
    """Generations whose part (key or database) is in `more` and not in `less`."""
    for name, generation in more.generations.items():
        old = less.generations.get(name)
        if part(generation) is not None and (old is None or part(old) is None):
            yield name, generation


_STAGES: Mapping[Stage, Callable[[RootData, RootData], Iterable[Expected]]] = {
    Stage.ADOPT: _adopt,
    Stage.KEY: _key,
    Stage.LOWER_TTL: _ttl,
    Stage.GREEN: _green,
    Stage.CUTOVER: _flip,
    Stage.UNGATE: lambda before, after: (),
    Stage.RESTORE_TTL: _ttl,
    Stage.UNPROTECT: _unprotect,
    Stage.RETIRE_DATABASE: _retire_database,
    Stage.DISABLE_KEY: _disable_key,
    Stage.RETIRE_KEY: _retire_key,
    Stage.ROLLBACK_CUTOVER: _flip,
    Stage.ROLLBACK_UNPROTECT: _rollback_unprotect,
    Stage.ROLLBACK: _rollback,
}
