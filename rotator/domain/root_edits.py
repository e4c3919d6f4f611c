"""Pure edits of the root's data: one function per thing that a stage changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from rotator.domain.root import DatabaseSpec, Generation, Imports, KeySpec, RootData


def with_generation(data: RootData, name: str, **halves: KeySpec | DatabaseSpec | None) -> RootData:
    """Set the key and/or the database of a generation, making it when it is not there."""
    old = data.generations.get(name, Generation(None, None))
    return replace(data, generations={**data.generations, name: replace(old, **halves)})  # type: ignore[arg-type]


def without_generation(data: RootData, name: str) -> RootData:
    """Drop a generation entirely."""
    return replace(data, generations={k: v for k, v in data.generations.items() if k != name})


def serving(data: RootData, name: str) -> RootData:
    """Point the record at a generation."""
    return replace(data, serving=name)


def with_ttl(data: RootData, ttl: int) -> RootData:
    """Lower the records' TTLs (seconds) to that; a shorter one stays."""
    return _with_ttls(data, {record.key: min(record.ttl, ttl) for record in data.names})


def with_own_ttls(data: RootData, ttls: Mapping[str, int]) -> RootData:
    """Give records their own TTLs, by their keys; those that are not named keep theirs."""
    return _with_ttls(data, {record.key: ttls.get(record.key, record.ttl) for record in data.names})


def _with_ttls(data: RootData, ttls: Mapping[str, int]) -> RootData:
    endpoint, *also = (replace(record, ttl=ttls[record.key]) for record in data.names)
    return replace(data, endpoint=endpoint, also=tuple(also))


def without_names(data: RootData, keys: Collection[str]) -> RootData:
    """Drop further records, by their keys."""
    return replace(data, also=tuple(record for record in data.also if record.key not in keys))


def without_imports(data: RootData) -> RootData:
    """Drop the import blocks' data once the imports have been applied."""
    return replace(data, imports=Imports())


def edit_database(data: RootData, name: str, **fields: Any) -> RootData:
    """Change fields of a generation's database; raises KeyError when it has none."""
    database = data.generations[name].database
    if database is None:
        raise KeyError(f"generation {name} has no database")
    return with_generation(data, name, database=replace(database, **fields))


def edit_key(data: RootData, name: str, **fields: Any) -> RootData:
    """Change fields of a generation's key; raises KeyError when it has none."""
    key = data.generations[name].key
    if key is None:
        raise KeyError(f"generation {name} has no key of its own")
    return with_generation(data, name, key=replace(key, **fields))


def unprotected(data: RootData, name: str, *, delete_automated_backups: bool) -> RootData:
    """Make a generation's database deletable: its final snapshot has been taken and verified by then."""
    return edit_database(
        data,
        name,
        deletion_protection=False,
        skip_final_snapshot=True,
        delete_automated_backups=delete_automated_backups,
    )
