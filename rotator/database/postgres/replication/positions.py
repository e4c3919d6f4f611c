"""Sequences at the flip: the source's positions plus headroom, read and set in batches.

Logical replication carries no sequences. A bare nextval() passes any fence, so a client may hold numbers that it got
on blue a moment ago: the headroom keeps green from giving them out again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from rotator.database.compare import is_behind
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.sequences import positions
from rotator.database.replication import Budgets
from rotator.errors import DatabaseError
from rotator.model import SequenceState

Key = tuple[str, str]

_LIMITS = """
select n.nspname, c.relname, s.seqmin, s.seqmax, s.seqcache
  from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
"""
_SET = """
select setval(q.name::regclass, q.value, q.called)
  from unnest(%s::text[], %s::bigint[], %s::bool[]) q (name, value, called)
"""


@dataclass(frozen=True)
class Limits:
    """A sequence's least and greatest value, and how many numbers a session takes at once."""

    least: int
    most: int
    cache: int


def with_headroom(state: SequenceState, limits: Limits, headroom: int) -> SequenceState:
    """The position from which nothing is given out that `state` may have given out; never past the limits.

    One that never gave out a number stays where it is.
    """
    if not state.is_called:
        return state
    steps = max(headroom, limits.cache)
    value = min(max(state.last_value + steps * state.increment, limits.least), limits.most)
    return SequenceState(value, True, state.increment)


def read_limits(connection: Connection) -> dict[Key, Limits]:
    """(schema, name) -> limits, of all sequences of a database."""
    return {
        (str(schema), str(sequence)): Limits(int(least), int(most), int(cache))
        for schema, sequence, least, most, cache in connection.execute(_LIMITS).fetchall()
    }


@dataclass(frozen=True)
class Sequences:
    """All sequences of both sides, over open connections by database."""

    source: Mapping[str, Connection]
    target: Mapping[str, Connection]
    limits: Mapping[str, Mapping[Key, Limits]]
    budgets: Budgets

    def behind(self) -> dict[str, dict[Key, SequenceState]]:
        """Database -> the target's sequences that are behind, with the positions that they must get."""
        found = {}
        for name, connection in self.source.items():
            there, limits = positions(name, self.target[name])[1], self.limits[name]
            wanted = {
                key: with_headroom(state, limits[key], self.budgets.headroom)
                for key, state in positions(name, connection)[1].items()
                if key in there and key in limits
            }
            found[name] = {key: state for key, state in wanted.items() if is_behind(there[key], state)}
        return found

    def advance(self) -> int:
        """Move them; how many. Raises DatabaseError 'window-sequences' over the budget."""
        deadline = time.monotonic() + self.budgets.sequences
        wanted = self.behind()
        for name, states in wanted.items():
            if states:
                connection = self.target[name]
                names = [sql.Identifier(*key).as_string(connection) for key in states]
                values = [state.last_value for state in states.values()]
                connection.execute(_SET, [names, values, [state.is_called for state in states.values()]])
        if time.monotonic() > deadline:
            raise DatabaseError(
                "moving the sequences took longer than its budget; the fence is lifted, and nothing has changed",
                why=f"{sum(map(len, self.limits.values()))} sequences",
                fix="raise [cutover] sequences, then run the same command again",
                code="window-sequences",
            )
        return sum(map(len, wanted.values()))
