"""Every object of the server -> a digest of its definition, read from the catalogs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.batches import batches
from rotator.database.postgres.catalog.cluster import CLUSTER
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.catalog.queries import DATABASE, IDENTIFIED, VIEW_DEFINITIONS, VIEWS, generic
from rotator.database.postgres.connection import Connection, session
from rotator.domain.qualified import qualified


def schema(target: Target) -> Mapping[str, str]:
    """'kind database.schema.object' -> digest, for all application databases and what they share (roles, settings)."""
    found: dict[str, str] = {}
    with session(target, doing="read the shared catalogs") as connection:
        found.update(_digests("", connection, CLUSTER))
    for name in databases(target):
        with session(target, name, doing="read the catalogs") as connection:
            found.update(_digests(name, connection, DATABASE))
            found.update(_digests(name, connection, tuple(generic(catalog) for catalog in IDENTIFIED)))
            found.update({key: f"{found.get(key)} {digest}" for key, digest in _views(name, connection)})
    return found


def _digests(database: str, connection: Connection, queries: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for query in queries:
        yield from _of_rows(database, connection.execute(sql.SQL(query)).fetchall())


def _views(database: str, connection: Connection) -> Iterator[tuple[str, str]]:
    for batch in batches(row[0] for row in connection.execute(sql.SQL(VIEWS)).fetchall()):
        yield from _of_rows(database, connection.execute(VIEW_DEFINITIONS, [list(batch)]).fetchall())


def _of_rows(database: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, str]]:
    for kind, name, more, definition in rows:
        key = _key(str(kind), [database, *name] if database else name, more or ())
        yield key, hashlib.blake2b(str(definition).encode(), digest_size=16).hexdigest()


def _key(kind: str, name: Sequence[str], more: Sequence[str | None]) -> str:
    """'kind database.schema.object word name ...'; `more` as the catalogs' queries give it."""
    place = " ".join(part for part in (kind, qualified(*name)) if part)
    if len(more) == 1:
        return f"{place}{more[0]}"
    words = (
        f" {word}" if part is None else f" {word} {qualified(part)}"
        for word, part in zip(more[::2], more[1::2], strict=True)
    )
    return place + "".join(words)
