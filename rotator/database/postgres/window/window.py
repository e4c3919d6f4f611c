"""The window: the source stops, the target proves that it has everything, and takes over.

Everything that needs no pause happens in `prepare`. Then, with nothing but open connections:

1. *Fence*: the triggers' function is swapped for one that refuses until a time of the server's own clock (the lease);
   wait for those who may have written before, and end those who go on for too long.
2. *Drain*: a marker is written on the source; when it is on the target, so is all that was committed before it.
3. *Recheck* what was still in flux when it was compared online; the schema must be the one that was prepared for.
4. *Sequences* have got the source's positions and some more ahead of the pause; those that have used up half of that
   since get more.
5. *Seal*: the lease becomes for ever. Only if it had not run out by then: so no write can have slipped in between.
6. *Open* the target. Its slots for the reverse replication begin here.

A driver that dies before 5 leaves a fence that opens by itself; one that dies after it leaves both shut or the target
open, with the name unchanged: the next run goes on from there. At no time two servers take writes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psycopg

from rotator.database.compare import capped
from rotator.database.interface import Target
from rotator.database.position import Position
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.catalog.sequence_look import Look
from rotator.database.postgres.compare.chunks import Chunk, told
from rotator.database.postgres.compare.recheck import Known, look_ahead, recheck
from rotator.database.postgres.connection import Connection, open_session
from rotator.database.postgres.fence.unfence import unfence
from rotator.database.postgres.lsn import ENGINE
from rotator.database.postgres.replication import sentinels
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.publish import replicated
from rotator.database.postgres.replication.subscribe import ORIGINS
from rotator.database.postgres.window import imprint
from rotator.database.postgres.window.calm import wait_for_calm
from rotator.database.postgres.window.fence import WindowFence
from rotator.database.postgres.window.positions import Sequences
from rotator.database.replication import Budgets, Passed
from rotator.domain.errors import DatabaseError
from rotator.domain.progress import Progress


@dataclass
class PostgresWindow:
    """One attempt. `names` are the forward direction's; `retain_back`: whether the target keeps its log."""

    source: Target
    target: Target
    names: Names
    budgets: Budgets
    unsettled: Sequence[Chunk]
    retain_back: bool
    imprint: Mapping[str, Any] | None = None
    """What the target must be as it was when it was compared."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _from: dict[str, Connection] = field(default_factory=dict)
    _to: dict[str, Connection] = field(default_factory=dict)
    _known: tuple[Known, Known] = ({}, {})
    _there: Mapping[str, Connection] = field(default_factory=dict)
    _oids: dict[str, int] = field(default_factory=dict)
    _fence: WindowFence | None = None
    _sequences: Sequences | None = None
    _begun: bool = False
    _opening: bool = False
    _passed: bool = False
    _back: dict[str, Position] = field(default_factory=dict)

    @property
    def opening(self) -> bool:
        return self._opening

    def __enter__(self) -> PostgresWindow:
        self._stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._begun and not self._passed:
                self.give_up()
        finally:
            self._stack.__exit__(kind, error, trace)  # a driver's error leaves it as DatabaseError

    def prepare(self, progress: Progress, check: Callable[[], None]) -> None:
        """Connections, idle triggers, checks, and a calm moment."""
        progress(0.0, "getting ready for the cutover")
        self._oids = dict(replicated(self.source, self.names))
        every = databases(self.source)
        here, there = self._open(self.source, every), self._open(self.target, every)
        one = self._stack.enter_context(open_session(self.source, None))
        self._fence = WindowFence(here, there, one, self.names)
        self._there = there
        self._from = {name: here[name] for name in self._oids}
        self._to = {name: there[name] for name in self._oids}
        self._known = look_ahead(self._from, self.unsettled), look_ahead(self._to, self.unsettled)
        if self.retain_back:
            self._check_back_slots()
        self._fence.prepare(self.budgets, progress)
        self._fence.shut_other()
        self._same_target()
        check()
        self._sequences = self._placed(every, there)
        deadline = time.monotonic() + self.budgets.drain
        sentinels.pass_through(self._from, self._to, self._token("ready"), deadline)
        wait_for_calm(one, self.budgets, progress, self._between)

    def run(self) -> Passed:
        """The pause. Raises DatabaseError when a part is over its budget, or when a check fails."""
        fence, budgets = self._fence, self.budgets
        if fence is None or self._sequences is None:
            raise ValueError("the window has not been prepared")
        parts: dict[str, float] = {}
        began = time.monotonic()
        self._begun = True
        with _timed(parts, "fence"):
            fence.close(budgets)
        with ThreadPoolExecutor(1, thread_name_prefix="sequences") as pool:
            looking = pool.submit(self._sequences.look)
            with _timed(parts, "drain"):
                sentinels.pass_through(self._from, self._to, self._token("drain"), time.monotonic() + budgets.drain)
            with _timed(parts, "recheck"):
                deadline = time.monotonic() + budgets.recheck
                self._recheck(deadline)
                with ThreadPoolExecutor(1, thread_name_prefix="imprint") as other:
                    looked = other.submit(self._same_target)
                    fence.same_schema(deadline)
                    looked.result()
            with _timed(parts, "sequences"):
                self._sequences.follow_in_time(looking, budgets.counters)
        with _timed(parts, "seal"):
            self._advance_back_slots()
            fence.seal()
            sealed = fence.imprint()
        with _timed(parts, "open"):
            self._opening = True
            fence.open_other()
        self._passed = True
        return Passed(
            began, parts, fence.cut_off, self._sequences.moved, self._back, tuple(self._sequences.set_back), sealed
        )

    def give_up(self) -> None:
        """The source takes writes again. If the target may have been opened it is shut first, or else the source stays
        shut, and the error that leaves says so.
        """
        if self._fence is None:
            return
        if self._opening:
            self._fence.shut_other()
            self._opening = False
        try:
            self._fence.open()
        except psycopg.Error:
            unfence(self.source)  # over new connections

    def _open(self, side: Target, names: Sequence[str]) -> dict[str, Connection]:
        return {name: self._stack.enter_context(open_session(side, name)) for name in names}

    def _placed(self, names: Sequence[str], there: dict[str, Connection]) -> Sequences:
        """The target's sequences, placed. The source's are read over connections of their own, beside the drain."""
        own = self._open(self.source, names)
        looks = {name: Look(connection) for name, connection in own.items()}
        others = {name: Look(connection) for name, connection in there.items()}
        sequences = Sequences(looks, others, self.budgets.headroom)
        sequences.prepare()
        for connection in own.values():  # from now on they are only looked at, as in the pause
            connection.execute("select set_config('statement_timeout', %s, false)", [f"{self.budgets.counters}s"])
        return sequences

    def _between(self) -> None:
        self._advance_back_slots()
        if self._sequences is not None:
            self._sequences.refresh()

    def _token(self, kind: str) -> str:
        return sentinels.token(self.names, f"{kind} {secrets.token_hex(8)}")

    def _recheck(self, deadline: float) -> None:
        found = recheck(self._from, self._to, self.unsettled, deadline, self._known)
        if found:
            raise DatabaseError(
                "Green's contents differ from blue's.",
                why="what was in flux when it was compared is different now that both stand still",
                fix="the flip did not happen. Keep green for a look; then take this rotation back with rollback",
                details=capped(told(found)),
                on_terminal=capped(each.by_key for each in found),
                code="validate-contents",
            )

    def _same_target(self) -> None:
        """Nobody but the subscriptions has written on the target since it was compared. Raises DatabaseError."""
        found = imprint.words(self._there, self.names, self.imprint) if self.imprint is not None else ()
        if found:
            raise DatabaseError(
                "Somebody may have written past the fence on the side that is to take over, after it was compared.",
                why="its catalogs are not what they were then",
                fix="the flip did not happen. Run the same command again: everything is compared anew first",
                details=found,
                code="target-touched",
            )

    def _advance_back_slots(self) -> None:
        """All that is on the target by now came from the source: the reverse replication must not carry it.

        From version 16 on the subscription sees to that. Before, the slots must begin here; they are moved on again and
        again before the fence, so that little is left for the pause.
        """
        if not self.retain_back or min(each.info.server_version for each in self._to.values()) >= ORIGINS:
            return
        back = Names(self.names.rotation_id, back=True)
        for name, connection in self._to.items():
            sentinels.put(connection, self._token("flush"))  # commits, and with it all before it is on disk
            row = connection.execute(
                "select (pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())).end_lsn::text",
                [back.slot(self._oids[name])],
            ).fetchone()
            # A slot forgets such a move when the server crashes before its next checkpoint: the subscription is told.
            self._back[name] = Position(ENGINE, str(row[0]) if row else "0/0")

    def _check_back_slots(self) -> None:
        """They must be there before anything is shut: where they are lost there would be no reverse replication."""
        back = Names(self.names.rotation_id, back=True)
        for name, connection in self._to.items():
            found = connection.execute(
                "select from pg_replication_slots where slot_name = %s and wal_status is distinct from 'lost'",
                [back.slot(self._oids[name])],
            )
            if found.rowcount == 0:
                raise DatabaseError(
                    f"the slot for the reverse replication of {name} is not on green, or is lost",
                    why="after the flip, what is written on green could not flow back to blue",
                    fix="take this rotation back with rollback, then rotate again; nothing has changed",
                    code="way-back",
                )


@contextmanager
def _timed(parts: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        parts[name] = time.monotonic() - began
