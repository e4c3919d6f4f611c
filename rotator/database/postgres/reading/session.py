"""Reads of the application's tables: as each table's owner, in a transaction that writes nothing and is rolled back.

To plan a SELECT is enough to run code of the table's owner: the planner works out what looks constant in expressions of
indexes and statistics. So the query goes through a SECURITY DEFINER function of the owner, in the session's temporary
schema. What runs there has the owner's rights. It can neither take back ours (SET ROLE is refused in such a function),
nor write, nor leave a setting, a cursor or a deferred trigger behind.

A name is no table: who owns a schema can drop what others have in it, and put a table of his own there. So each read
begins with a lock on what has the name, which runs nobody's code, and then looks whether that is what was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.reading.owners import ALTERED, CHANGED, Seen
from rotator.domain.errors import DatabaseError

_BEGIN, _SAVE = sql.SQL("begin read only"), sql.SQL("savepoint rotator_read")
"""The session's own default would not do: any function that runs in it can change that."""
_UNDO = sql.SQL("rollback to rotator_read")
_PREPARED = sql.SQL(
    "select from pg_catalog.pg_prepared_statements"
    " where prepare_time operator(pg_catalog.>=) pg_catalog.transaction_timestamp()"
)
"""Where `_UNDO` has not been said yet, names may mean something else."""
_THROUGH = sql.SQL("select f.found from pg_temp.{}({}) f (found)")
_AS_TEXTS = sql.SQL("select array[{}] from ({}) q ({})")


def read(connection: Connection, query: sql.Composable, width: int, seen: Seen) -> list[tuple[Any, ...]]:
    """The rows of one query of the table `seen` (`owners.look`); it takes no parameters and has `width` columns.

    Where it is read as its owner, values come as text. In a transaction of its own, or in `unwritten`.

    Raises DatabaseError 'reading-changed' if another table is there now, or it is somebody else's, and
    'reading-tampered' if code that ran meanwhile has made a prepared statement, which may stand in the place of ours:
    these outlive a transaction.
    """
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    whole = _wrapped(connection, query, width, seen) if seen.as_owner else query
    before = (_BEGIN if idle else _SAVE, sql.SQL(seen.first))
    after = (_PREPARED, sql.SQL("rollback")) if idle else (_UNDO, _PREPARED, sql.SQL("release rotator_read"))
    try:
        cursor = connection.execute(sql.SQL("; ").join((*before, whole, *after)))
    except psycopg.Error as error:
        if idle and not connection.broken:
            connection.execute("rollback")
        raise _told(connection, error, seen) from error
    found, prepared = _results(cursor)
    if prepared:
        raise _tampered(connection, "a function that ran while a table was read made a prepared statement")
    return [tuple(row[0]) for row in found] if seen.as_owner else found


def hold(connection: Connection, seen: Seen) -> None:
    """Lock the table until the transaction ends; then look whether it is what was looked at.

    In `unwritten`, before anything else: what a REPEATABLE READ transaction sees is as old as its first query.
    Raises DatabaseError 'reading-changed'.
    """
    try:
        connection.execute(sql.SQL("; ").join((sql.SQL(seen.first), sql.SQL("set local role none"))))
    except psycopg.Error as error:
        raise _told(connection, error, seen) from error


def _wrapped(connection: Connection, query: sql.Composable, width: int, seen: Seen) -> sql.Composed:
    names = [sql.Identifier(f"c{n}") for n in range(width)]
    texts = sql.SQL(", ").join(sql.SQL("q.{}::text").format(name) for name in names)
    inner = _AS_TEXTS.format(texts, query, sql.SQL(", ").join(names))
    return _THROUGH.format(sql.Identifier(seen.function), sql.Literal(inner.as_string(connection)))


def _results(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], int]:
    """Rows of the query, and number of those of the last SELECT, `_PREPARED`."""
    found = []
    while True:
        if cursor.description is not None:
            found.append(cursor.fetchall())
        if not cursor.nextset():
            _, rows, prepared = found
            return rows, len(prepared)


def _told(connection: Connection, error: psycopg.Error, seen: Seen) -> Exception:
    # What an owner's code raises has its place in his code in its context.
    if "\n" in (error.diag.context or ""):
        return error
    if error.sqlstate == ALTERED:
        return _tampered(connection, "somebody has altered the function that reads as the owner of a table")
    return changed(f"table {seen.name}", connection) if error.sqlstate == CHANGED else error


def changed(what: str, connection: Connection) -> DatabaseError:
    """The error for something that is not what it was looked at as."""
    return DatabaseError(
        f"{what} of database {connection.info.dbname} is not the one that was looked at before it was read",
        why="it was dropped and made again, or given to another owner: it could run code with rights that its owner"
        " does not have",
        fix="let nobody change the schema meanwhile, then run the same command again",
        code="reading-changed",
    )


def _tampered(connection: Connection, why: str) -> DatabaseError:
    return DatabaseError(
        f"code in database {connection.info.dbname} tampered with the session that reads its tables",
        why=why,
        fix="find who did it (functions in expressions of indexes or statistics), stop it, run the same command again",
        code="reading-tampered",
    )


@contextmanager
def unwritten(connection: Connection, isolation: str = "read committed") -> Iterator[None]:
    """A READ ONLY transaction for several reads; settings that are changed in it end with it."""
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("set transaction isolation level {}, read only").format(sql.SQL(isolation)))
        yield
