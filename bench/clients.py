"""Clients of the cutover benchmark: processes that write numbered transactions to whichever side serves.

A transaction is tried until it is known to be committed, and never again then. Refused by the fence, a client tries
again after a moment over the same connection; when the shared variable, which stands for DNS, names the other side, it
connects there. Cut off during a commit it does not know: it waits until its old session is gone from that server, and
looks for its row before it tries again.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any

import psycopg
from plain import open_plain

from rotator.database.interface import Target
from rotator.domain.errors import DatabaseError

CLIENTS = 8
RETRY_SECONDS = 0.005
PATIENCE_SECONDS = 60.0
TRAIL_EVERY = 10
SCHEMA = """
create table ledger (id bigserial primary key, writer int not null, seq int not null);
create table account (writer int primary key, n int not null);
create table trail (writer int not null, seq int not null);
insert into account select i, 0 from generate_series(0, 7) i;
"""
SPAWN = multiprocessing.get_context("spawn")
"""Fresh processes: a fork would take along what this one has open."""


@dataclass(frozen=True)
class Ack:
    """A transaction that was acknowledged: by which side (0: blue, 1: green), and when (monotonic)."""

    writer: int
    seq: int
    side: int
    at: float


@dataclass(frozen=True)
class Shared:
    """What clients and benchmark share: which side serves, how much each has written, and when to stop."""

    serving: Any
    written: Any
    stop: Any


class Client:
    """One of them."""

    def __init__(self, number: int, sides: Sequence[Target], shared: Shared) -> None:
        self.number, self.sides, self.shared = number, sides, shared
        self.acks: list[Ack] = []
        self._side = -1
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._unknown: tuple[int, int] | None = None

    def run(self, interval: float) -> None:
        """Write at this pace until stopped; what is late by an interval catches up, there is no burst after a pause."""
        due, seq = time.monotonic(), 1
        while not self.shared.stop.wait(max(0.0, due - time.monotonic())):
            due = max(due, time.monotonic() - interval) + interval
            self._write(seq)
            self.shared.written[self.number] = seq
            seq += 1
        if self._connection is not None:
            self._connection.close()

    def _write(self, seq: int) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                side = int(self.shared.serving.value)
                self._attempt(seq, side)
            except (psycopg.Error, DatabaseError):
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                self.acks.append(Ack(self.number, seq, side, time.monotonic()))
                return

    def _attempt(self, seq: int, side: int) -> None:
        """Returns when it is committed. When it raises, `_unknown` is the session that may have committed it."""
        connection = self._connected(side)
        if self._unknown is not None and self._was_committed(connection, seq, *self._unknown):
            self._unknown = None
            return
        self._unknown = None
        with connection.transaction():
            connection.execute("insert into ledger (writer, seq) values (%s, %s)", [self.number, seq])
            connection.execute("update account set n = n + 1 where writer = %s", [self.number])
            if seq % TRAIL_EVERY == 0:
                connection.execute("insert into trail values (%s, %s)", [self.number, seq])
            self._unknown = side, connection.info.backend_pid  # from here on it may commit without our hearing of it
        self._unknown = None

    def _connected(self, side: int) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.broken or side != self._side:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._side = None, side
            self._connection = open_plain(self.sides[side])
        return self._connection

    def _was_committed(self, connection: psycopg.Connection[tuple[Any, ...]], seq: int, side: int, pid: int) -> bool:
        """Looks for the row once the session that may have written it is gone.

        The other side serves only when nobody can commit on this one any more, and has all of it: no waiting then.
        """
        gone = "select from pg_stat_activity where pid = %s and pid <> pg_backend_pid()"
        while side == self._side and connection.execute(gone, [pid]).rowcount:
            time.sleep(RETRY_SECONDS)
        row = "select from ledger where writer = %s and seq = %s"
        return connection.execute(row, [self.number, seq]).rowcount > 0


def run_client(number: int, sides: Sequence[Target], interval: float, shared: Shared, pipe: Pipe) -> None:
    """A process's main: what was acknowledged goes through the pipe at the end."""
    client = Client(number, sides, shared)
    client.run(interval)
    pipe.send(client.acks)


class Clients:
    """All of them, seen from the benchmark."""

    def __init__(self, sides: Sequence[Target], rate: float) -> None:
        self.shared = Shared(SPAWN.Value("i", 0), SPAWN.Array("q", CLIENTS, lock=False), SPAWN.Event())
        self._pipes: list[Pipe] = []
        self._processes = []
        for number in range(CLIENTS):
            ours, theirs = SPAWN.Pipe(duplex=False)
            process = SPAWN.Process(
                target=run_client, args=(number, sides, CLIENTS / rate, self.shared, theirs), daemon=True
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def serve(self, side: int) -> None:
        """Let the name point there."""
        self.shared.serving.value = side

    def wait_for_writes(self, each: int, seconds: float) -> None:
        """Until every client has written so many transactions more. Raises RuntimeError."""
        goals = [int(done) + each for done in self.shared.written]
        until = time.monotonic() + seconds
        while any(done < goal for done, goal in zip(self.shared.written, goals, strict=True)):
            if time.monotonic() > until or not all(process.is_alive() for process in self._processes):
                raise RuntimeError("clients do not write any more; see above for what ended them")
            time.sleep(0.02)

    def finish(self) -> list[Ack]:
        """Stop them; all that was acknowledged. Raises EOFError when a client has ended by an error."""
        self.shared.stop.set()
        acks = [ack for pipe in self._pipes for ack in pipe.recv()]
        for process in self._processes:
            process.join(PATIENCE_SECONDS)
        return acks

    def end(self) -> None:
        """No process of them stays, whatever has happened."""
        for process in self._processes:
            process.kill()
            process.join()


@contextmanager
def writing(sides: Sequence[Target], rate: float) -> Iterator[Clients]:
    """Clients that write `rate` transactions a second in all; they begin with side 0."""
    clients = Clients(sides, rate)
    try:
        yield clients
    finally:
        clients.end()


def expected(acks: Sequence[Ack]) -> dict[str, Counter[tuple[int, int]]]:
    """Table -> rows (writer, number) that there must be, and how often."""
    return {
        "ledger": Counter((ack.writer, ack.seq) for ack in acks),
        "account": Counter(dict.fromkeys(Counter(ack.writer for ack in acks).items(), 1)),
        "trail": Counter((ack.writer, ack.seq) for ack in acks if ack.seq % TRAIL_EVERY == 0),
    }


def stored(target: Target) -> dict[str, Counter[tuple[int, int]]]:
    """The same as a server has it."""
    connection = open_plain(target)
    try:
        return {
            "ledger": Counter(connection.execute("select writer, seq from ledger").fetchall()),
            "account": Counter(connection.execute("select writer, n from account").fetchall()),
            "trail": Counter(connection.execute("select writer, seq from trail").fetchall()),
        }
    finally:
        connection.close()
