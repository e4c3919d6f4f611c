"""The last comparison, inside the fence: what was unsettled while blue was written to, against a deadline.

Nothing is written now, so unequal is different. Both servers read at the same time, a statement for all chunks of a
table: to plan one costs as much as to read some hundred rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from socket import SHUT_RDWR, socket
from threading import Timer

import psycopg
from psycopg import sql

from rotator.database.compare import capped
from rotator.database.interface import Target
from rotator.database.postgres.batches import batches
from rotator.database.postgres.compare.chunks import Chunk, Difference, merged
from rotator.database.postgres.compare.reader import Content, Shape, shapes_of
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.errors import statement_error
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import read, unwritten
from rotator.domain.errors import DatabaseError

Known = Mapping[str, Mapping[owners.Name, Shape]]
"""How to read tables, by database."""
TABLES_AT_ONCE = 20
"""A transaction keeps a lock on each table that it reads, and on each of its indexes."""
_CANCELLED = "57014"
_NEAR = 0.1
"""The server's clock is another one. (SQLSTATEs are anybody's to raise.)"""
CUT_SECONDS = 1.0
"""So long after the deadline a session is cut off: code of a table's owner can catch the cancel, which comes once."""


def recheck(
    source: Mapping[str, Connection],
    target: Mapping[str, Connection],
    unsettled: Sequence[Chunk],
    deadline: float,
    known: tuple[Known, Known] | None = None,
) -> tuple[Difference, ...]:
    """Compare `unsettled` over open connections (by database, from `connection.session`); what differs.

    `known`: what `look_ahead` gave for the same connections, source and target.
    Raises DatabaseError with code `recheck-timeout` when time.monotonic() passes `deadline`; no statement runs on.
    """
    chunks = sorted(merged(unsettled), key=lambda chunk: chunk.database)
    blues, greens = known if known is not None else (look_ahead(source, unsettled), look_ahead(target, unsettled))
    sides = [(_target(next(iter(each.values()))), tuple(each.values())) for each in (source, target) if each]
    with _cut_off(sides, deadline + CUT_SECONDS), ThreadPoolExecutor(2, thread_name_prefix="recheck") as pool:
        reading = [
            pool.submit(_read, connections, chunks, shapes, deadline)
            for connections, shapes in ((source, blues), (target, greens))
        ]
    blue, green = (side.result() for side in reading)
    return tuple(
        _difference(chunk, ours, theirs)
        for chunk, ours, theirs in zip(chunks, blue, green, strict=True)
        if ours != theirs
    )


@contextmanager
def _cut_off(sides: Sequence[tuple[Target, Sequence[Connection]]], deadline: float) -> Iterator[None]:
    """Whatever of them is still waited for at `deadline` ends then: here, and on its server if that can be reached."""
    pids = {connection: connection.info.backend_pid for _, connections in sides for connection in connections}

    def cut() -> None:
        for target, connections in sides:
            late = [each for each in connections if each.info.transaction_status is psycopg.pq.TransactionStatus.ACTIVE]
            for connection in late:
                with socket(fileno=os.dup(connection.fileno())) as wire:
                    wire.shutdown(SHUT_RDWR)
            with suppress(DatabaseError), session(target, doing="end a session") as other:
                numbers = [pids[each] for each in late]
                other.execute("select pg_terminate_backend(p) from unnest(%s::int[]) p", [numbers])

    timer = Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def look_ahead(connections: Mapping[str, Connection], unsettled: Sequence[Chunk]) -> Known:
    """How to read the tables of `unsettled`, by database. It takes the catalogs, and a commit for each owner of tables.

    What DDL changes afterwards is for others to find (window.fence): a table is read as its owner in any case.
    """
    found: dict[str, Mapping[owners.Name, Shape]] = {}
    for database in sorted({chunk.database for chunk in unsettled}):
        names = sorted({(chunk.schema, chunk.table) for chunk in unsettled if chunk.database == database})
        found[database] = shapes_of(connections[database], names)
    return found


def _read(
    connections: Mapping[str, Connection], chunks: Sequence[Chunk], known: Known, deadline: float
) -> list[Content]:
    """The chunks' contents on one side, in their order."""
    found: list[Content] = []
    for database, group in groupby(chunks, key=lambda chunk: chunk.database):
        connection, ours = connections[database], list(group)
        try:
            found += _contents(connection, ours, known[database], deadline)
        except psycopg.Error as error:
            if time.monotonic() >= deadline - _NEAR and (error.sqlstate == _CANCELLED or connection.broken):
                raise _late() from error
            names = capped(sorted({chunk.name for chunk in ours}))
            doing = f"compare tables in the fence ({', '.join(names)})"
            raise statement_error(_target(connection), connection, doing, error) from error
    return found


def _contents(
    connection: Connection, chunks: Sequence[Chunk], shapes: Mapping[owners.Name, Shape], deadline: float
) -> list[Content]:
    found: dict[int, Content] = {}
    for some in batches(_queries(shapes, chunks), TABLES_AT_ONCE):
        with _reading(connection, deadline):
            for table, query in some:
                _limit(connection, deadline)
                for rows, total, n in read(connection, query, 3, shapes[table].seen):
                    found[int(n)] = Content(int(rows), int(total))
    return [found[n] for n in range(len(chunks))]


@contextmanager
def _reading(connection: Connection, deadline: float) -> Iterator[None]:
    with unwritten(connection):
        connection.execute("set local enable_seqscan = off")
        _limit(connection, deadline)
        yield


def _queries(
    shapes: Mapping[owners.Name, Shape], chunks: Sequence[Chunk]
) -> Iterator[tuple[owners.Name, sql.Composed]]:
    """One for all chunks of a table, but for those that are open at an end; with the table."""
    closed: dict[tuple[str, str], list[tuple[int, Chunk]]] = {}
    for n, chunk in enumerate(chunks):
        if chunk.low is None or chunk.high is None:
            table = chunk.schema, chunk.table
            yield table, shapes[table].contents(chunk, sql.Literal(n))
        else:
            closed.setdefault((chunk.schema, chunk.table), []).append((n, chunk))
    for name, numbered in closed.items():
        yield name, shapes[name].contents_of(numbered)


def _limit(connection: Connection, deadline: float) -> None:
    """Let the server end the next statement at the deadline."""
    left = int((deadline - time.monotonic()) * 1000)
    if left <= 0:
        raise _late()
    connection.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(left)))


def _late() -> DatabaseError:
    return DatabaseError(
        "the last comparison did not end in its time",
        why="too many rows were written to all the time, and had to be compared while writes are paused",
        fix="run it again when there are fewer writes, or allow a longer pause",
        code="recheck-timeout",
    )


def _target(connection: Connection) -> Target:
    info = connection.info
    given = info.get_parameters()
    return Target(
        *(info.host, info.port, info.user, info.dbname),
        address=given.get("hostaddr"),
        password=info.password,
        sslmode=given.get("sslmode", "verify-full"),
        sslrootcert=given.get("sslrootcert"),
    )


def _difference(chunk: Chunk, blue: Content, green: Content) -> Difference:
    rows = (
        f"{blue.rows:,} rows on both sides"
        if blue.rows == green.rows
        else f"blue {blue.rows:,} rows, green {green.rows:,}"
    )
    return Difference(chunk.name, f"the contents differ ({rows})", chunk.words)
