"""Reads of the application's tables: as each table's owner, in a transaction that writes nothing and is rolled back.

To plan a SELECT is enough to run code of the table's owner: the planner works out what looks constant in expressions of
indexes and statistics. So the query goes through a SECURITY DEFINER function of the owner, in the session's temporary
schema. What runs there has the owner's rights. It can neither take back ours (SET ROLE is refused in such a function),
nor write, nor leave a setting, a cursor or a deferred trigger behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.errors import DatabaseError

_ALONE = sql.SQL("begin read only; {}; rollback")
_WITHIN = sql.SQL("savepoint rotator_read; {}; rollback to rotator_read; release rotator_read")
"""One round trip. The session's own default would not do: any function that runs in it can change that."""
_THROUGH = sql.SQL("select f.found from pg_temp.{}({}) f (found)")
_AS_TEXTS = sql.SQL("select array[{}] from ({}) q ({})")
_PREPARED = "select from pg_catalog.pg_prepared_statements where prepare_time >= pg_catalog.transaction_timestamp()"


def read(connection: Connection, query: sql.Composable, width: int, through: str | None) -> list[tuple[Any, ...]]:
    """The rows of one query that takes no parameters and has `width` columns.

    `through`: the function (`owners.functions`) that reads as the owner; its values come as text. None: as ourselves.
    In a transaction of its own, or in `unwritten`.
    """
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    whole = query if through is None else _wrapped(connection, query, width, through)
    try:
        cursor = connection.execute((_ALONE if idle else _WITHIN).format(whole))
    except psycopg.Error:
        if idle and not connection.broken:
            connection.execute("rollback")
        raise
    cursor.nextset()
    rows = cursor.fetchall()
    return rows if through is None else [tuple(row[0]) for row in rows]


def _wrapped(connection: Connection, query: sql.Composable, width: int, through: str) -> sql.Composed:
    names = [sql.Identifier(f"c{n}") for n in range(width)]
    texts = sql.SQL(", ").join(sql.SQL("q.{}::text").format(name) for name in names)
    inner = _AS_TEXTS.format(texts, query, sql.SQL(", ").join(names))
    return _THROUGH.format(sql.Identifier(through), sql.Literal(inner.as_string(connection)))


@contextmanager
def unwritten(connection: Connection, isolation: str = "read committed") -> Iterator[None]:
    """A READ ONLY transaction for several reads; settings that are changed in it end with it.

    Prepared statements do not. One that was made meanwhile may stand in the place of ours: raises DatabaseError
    'reading-tampered'.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("set transaction isolation level {}, read only").format(sql.SQL(isolation)))
        yield
        if connection.execute(_PREPARED).rowcount:
            raise DatabaseError(
                f"code in database {connection.info.dbname} tampered with the session that reads its tables",
                why="a function that ran while a table was read made a prepared statement",
                fix="find the function in expressions of indexes or statistics, drop it, run the same command again",
                code="reading-tampered",
            )
