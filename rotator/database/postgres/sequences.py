"""Sequences' positions, and extensions' versions.

A refused INSERT takes no number: a statement's BEFORE trigger fires before defaults are evaluated. But a bare
`select nextval(...)` writes past any fence, as sequences carry no triggers; a client that keeps a block of numbers
across the flip would collide with those that green hands out. So positions are compared after the fence, and
`advance` moves green's on to where blue's are. Green may be ahead by itself: crash recovery continues a sequence after
the up to 32 numbers that were logged in advance.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from rotator.database.compare import is_behind
from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.objects import USER_SCHEMA, databases, each_database
from rotator.model import SequenceState
from rotator.qualified import qualified

_BATCH = 200

_SEQUENCES = f"""
select n.nspname, c.relname, s.seqincrement
  from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
 where c.relpersistence <> 't' and {USER_SCHEMA}
 order by n.nspname, c.relname
"""


def sequences(target: Target) -> Mapping[str, SequenceState]:
    """'database.schema.name' -> position, of all application databases."""
    found = each_database(target, "read the sequences", positions)
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


def advance(target: Target, wanted_positions: Mapping[str, SequenceState]) -> tuple[str, ...]:
    """Move every sequence that is behind `wanted_positions` up to it, never back; the names of those moved."""
    moved: list[str] = []
    for database in databases(target):
        with session(target, database, doing="advance the sequences") as connection:
            for (schema, name), state in positions(database, connection)[1].items():
                key = qualified(database, schema, name)
                wanted = wanted_positions.get(key)
                if wanted is None or not is_behind(state, wanted):
                    continue
                sequence = sql.Identifier(schema, name).as_string(connection)
                connection.execute("select setval(%s, %s, %s)", [sequence, wanted.last_value, wanted.is_called])
                moved.append(key)
    return tuple(moved)


def positions(database: str, connection: Connection) -> tuple[str, dict[tuple[str, str], SequenceState]]:
    """The database, and (schema, name) -> position of its sequences."""
    listed = connection.execute(_SEQUENCES).fetchall()
    states: dict[tuple[str, str], SequenceState] = {}
    for start in range(0, len(listed), _BATCH):
        batch = listed[start : start + _BATCH]
        query = sql.SQL(" union all ").join(
            sql.SQL("select {}, last_value, is_called from {}").format(sql.Literal(index), sql.Identifier(*row[:2]))
            for index, row in enumerate(batch)
        )
        for index, last_value, is_called in connection.execute(query).fetchall():
            schema, name, increment = batch[index]
            states[(str(schema), str(name))] = SequenceState(int(last_value), bool(is_called), int(increment))
    return database, states
