"""Writers on anybody's tables: each transaction is tried until it is known to be committed, and never again then."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import psycopg
from pg_writers import reached

from rotator.database.interface import Target

Operation = Sequence[str]
"""Statements of one transaction; `:n` becomes a number that no other transaction has."""

LEDGER = "create table ledger (writer int not null, n int not null)"
WRITERS = 3
CUT_OFF = {"25006", "57P01", "57P02", "57P03", "57014", "40001", "40P01", "55P03", None}
"""What a client may be told at a flip, or by another client. Anything else is a fault."""
APART, MOST = 1_000_000, 32
"""Numbers begin beyond those of the tables' first rows; at most so many writers."""


@dataclass
class Writers:
    """`sides`: blue, then green once there is one; `work`: database -> what its writers do, in turns.

    `serving`: which of the sides the name points at.
    """

    sides: list[Target]
    work: Mapping[str, Sequence[Operation]]
    serving: int = 0
    broken: list[str] = field(default_factory=list)
    _done: dict[int, list[int]] = field(default_factory=dict)
    _databases: dict[int, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _pause: threading.Event = field(default_factory=threading.Event)
    _idle: set[int] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Writers:
        for number, database in enumerate(name for name in self.work for _ in range(WRITERS)):
            self._done[number] = []
            self._databases[number] = database
            self._threads.append(threading.Thread(target=self._work, args=(number,), daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), self.broken

    def wait(self, count: int) -> None:
        """Until every writer has so many more acknowledged."""
        before = {number: len(done) for number, done in self._done.items()}
        met = reached(
            lambda: bool(self.broken) or all(len(self._done[each]) >= before[each] + count for each in before), 60.0
        )
        assert met, "the writers do not get on"
        assert not self.broken, self.broken

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While nobody writes."""
        self._pause.set()
        try:
            assert reached(lambda: bool(self.broken) or len(self._idle) == len(self._threads), 30.0)
            yield
        finally:
            self._pause.clear()

    def acknowledged(self, database: str) -> list[str]:
        """All of a database's, as rows of its `ledger` are written as text."""
        ours = [number for number in self._done if self._databases[number] == database]
        return [f"({number},{n})" for number in ours for n in self._done[number]]

    def _work(self, number: int) -> None:
        connection: psycopg.Connection[Any] | None = None
        n = 0
        while not self._stop.is_set():
            while self._pause.is_set() and not self._stop.wait(0.01):
                self._idle.add(number)
            self._idle.discard(number)
            connection = self._until_done(number, n, connection)
            n += 1
            self._stop.wait(0.005)
        if connection is not None:
            connection.close()

    def _until_done(
        self, number: int, n: int, connection: psycopg.Connection[Any] | None
    ) -> psycopg.Connection[Any] | None:
        database = self._databases[number]
        operations = self.work[database]
        operation = operations[(n + number) % len(operations)]
        tried = False
        while not self.broken:
            try:
                connection = connection or _connect(replace(self.sides[self.serving], database=database))
                if not (tried and _noted(connection, number, n)):
                    _write(connection, operation, number, n)
                self._done[number].append(n)
                return connection
            except psycopg.Error as error:
                tried = True
                if connection is not None:
                    connection.close()
                connection = None
                if error.sqlstate not in CUT_OFF:
                    self.broken.append(f"{operation}: {error.sqlstate} {error}")
                threading.Event().wait(0.01)
        self._stop.wait()
        return connection


def _connect(target: Target) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        dbname=target.database,
        autocommit=True,
        prepare_threshold=None,
    )


def _write(connection: psycopg.Connection[Any], operation: Operation, number: int, n: int) -> None:
    unique = str(APART + n * MOST + number)
    with connection.transaction():
        for statement in operation:
            connection.execute(statement.replace(":n", unique).encode())
        connection.execute("insert into public.ledger values (%s, %s)", [number, n])


def _noted(connection: psycopg.Connection[Any], number: int, n: int) -> bool:
    rows = connection.execute("select 1 from public.ledger where writer = %s and n = %s", [number, n]).fetchall()
    return bool(rows)
