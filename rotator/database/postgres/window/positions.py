"""Sequences at the flip: logical replication carries none, so the target's are put where the source's are, and further.

All of them are placed ahead of the pause. Inside it the source's are only looked at, while it drains, and those are
placed anew that have used up more than half of their headroom since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from rotator.database.postgres.catalog.sequence_look import Key, Look
from rotator.database.postgres.catalog.sequence_places import place, steps, still_good, with_headroom
from rotator.domain.database import CounterState
from rotator.domain.errors import DatabaseError
from rotator.domain.qualified import qualified

Seen = Mapping[str, Mapping[Key, CounterState]]
"""Database -> its sequences' positions."""
_CANCELLED = "57014"


@dataclass
class Sequences:
    """All sequences of both sides, by database. No other uses the connections meanwhile."""

    source: Mapping[str, Look]
    target: Mapping[str, Look]
    headroom: int
    moved: int = 0
    set_back: list[str] = field(default_factory=list)
    _before: dict[str, dict[Key, CounterState]] = field(default_factory=dict)
    _given: dict[str, dict[Key, CounterState]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Place the target's."""
        for name, look in self.source.items():
            here, there, limits = look.read(), self.target[name].read(), look.limits
            both = [key for key in here if key in there]
            places = {key: place(here[key], there[key], limits[key], self.headroom) for key in both}
            self._before[name] = {key: here[key] for key in both}
            self._given[name] = {key: each.state or there[key] for key, each in places.items()}
            self._set(name, {key: each.state for key, each in places.items() if each.state is not None})
            self._note(name, {key: here[key] for key, each in places.items() if each.set_back})

    def look(self) -> Seen:
        """Where the source's stand now."""
        return {name: look.read() for name, look in self.source.items()}

    def follow(self, seen: Seen) -> None:
        """Place anew those for which what they were given does not serve any more."""
        for name, states in seen.items():
            before, given, limits = self._before[name], self._given[name], self.source[name].limits
            passed = {
                key: state
                for key, state in states.items()
                if key in before and not still_good(before[key], state, given[key])
            }
            back = {
                key: state
                for key, state in passed.items()
                if not limits[key].cycle and steps(before[key], state.last_value) < 0
            }
            wanted = {key: with_headroom(state, limits[key], self.headroom) for key, state in passed.items()}
            self._set(name, wanted)
            self._note(name, back)
            before.update(passed)
            given.update(wanted)

    def refresh(self) -> None:
        """Both, while writes go on: so that little is left for the pause. Raises as `follow_in_time`."""
        with self._in_time():
            self.follow(self.look())

    def follow_in_time(self, looking: Future[Seen], seconds: float) -> None:
        """As `follow`, with what another thread looks for. Raises DatabaseError 'window-sequences' over the budget."""
        with self._in_time():
            self.follow(looking.result(seconds))

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise self._too_late() from None
        except psycopg.Error as error:
            if error.sqlstate != _CANCELLED:
                raise
            raise self._too_late() from error

    def _set(self, name: str, states: Mapping[Key, CounterState]) -> None:
        self.target[name].set(states)
        self.moved += len(states)

    def _note(self, name: str, states: Mapping[Key, CounterState]) -> None:
        for key, state in states.items():
            self.set_back.append(f"{qualified(name, *key)} (to {state.last_value:,})")

    def _too_late(self) -> DatabaseError:
        return DatabaseError(
            "looking at the sequences took longer than its budget; writes go on where they were, nothing has changed",
            why=f"{sum(len(look.limits) for look in self.source.values()):,} sequences",
            fix="raise [cutover] sequences, then run the same command again",
            code="window-sequences",
        )
