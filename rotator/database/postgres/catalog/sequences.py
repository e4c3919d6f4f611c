"""Sequences' positions, and extensions' versions.

A refused INSERT takes no number: a statement's BEFORE trigger fires before defaults are evaluated. But a bare
`select nextval(...)` writes past any fence, as sequences carry no triggers; a client that keeps a block of numbers
across the flip would collide with those that green hands out. So positions are compared after the fence, and
`advance` moves green's on to where blue's are. Green may be ahead by itself: crash recovery continues a sequence after
the up to 32 numbers that were logged in advance.
"""

from __future__ import annotations

from collections.abc import Mapping

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import databases, each_database
from rotator.database.postgres.catalog.sequence_look import Key, Look
from rotator.database.postgres.catalog.sequence_places import place_exactly
from rotator.database.postgres.connection import Connection, session
from rotator.domain.database import CounterState
from rotator.domain.qualified import qualified


def sequences(target: Target) -> Mapping[str, CounterState]:
    """'database.schema.name' -> position, of all application databases."""
    found = each_database(target, "read the sequences", _positions)
    return {
        qualified(database, schema, name): state
        for database, states in found
        for (schema, name), state in states.items()
    }


def extensions(target: Target) -> Mapping[str, str]:
    """'database.extension' -> installed version."""

    def look(database: str, connection: Connection) -> dict[str, str]:
        rows = connection.execute("select extname, extversion from pg_extension order by extname").fetchall()
        return {qualified(database, str(name)): str(version) for name, version in rows}

    return {
        key: version for part in each_database(target, "read the extensions", look) for key, version in part.items()
    }


def advance(target: Target, wanted_positions: Mapping[str, CounterState]) -> tuple[str, ...]:
    """Move every sequence that is behind `wanted_positions` up to it; the names of those moved.

    None goes back, but for one of which crash recovery has skipped what little is left.
    """
    moved: list[str] = []
    for database in databases(target):
        with session(target, database, doing="advance the sequences") as connection:
            look = Look(connection)
            names = {key: qualified(database, *key) for key in look.limits}
            wanted = {
                key: place_exactly(wanted_positions[names[key]], state, look.limits[key])
                for key, state in look.read().items()
                if names[key] in wanted_positions
            }
            behind = {key: state for key, state in wanted.items() if state is not None}
            look.set(behind)
            moved += [names[key] for key in behind]
    return tuple(moved)


def _positions(database: str, connection: Connection) -> tuple[str, dict[Key, CounterState]]:
    return database, Look(connection).read()
