"""Every object of the server -> a digest of its definition, read from the catalogs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.catalog_queries import CLUSTER, DATABASE, IDENTIFIED, generic
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.objects import databases


def schema(target: Target) -> Mapping[str, str]:
    """'kind database.schema.object' -> digest, for all application databases and what they share (roles, settings)."""
    found: dict[str, str] = {}
    with session(target, doing="read the shared catalogs") as connection:
        found.update(_digests("", connection, CLUSTER))
    for name in databases(target):
        with session(target, name, doing="read the catalogs") as connection:
            found.update(_digests(name, connection, DATABASE))
            found.update(_digests(name, connection, tuple(generic(catalog) for catalog in IDENTIFIED)))
    return found


def _digests(database: str, connection: Connection, queries: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Queries give (kind, name, further name, definition); the key is 'kind database.name further'."""
    for query in queries:
        for kind, name, part, definition in connection.execute(sql.SQL(query)).fetchall():
            place = f"{database}.{name}" if database else str(name)
            key = " ".join(str(word) for word in (kind, place, part) if word)
            yield key, hashlib.blake2b(str(definition).encode(), digest_size=16).hexdigest()
