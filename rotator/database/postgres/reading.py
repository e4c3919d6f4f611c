"""Reads of the application's tables: in a transaction that writes nothing and is rolled back.

Whatever of the application's would run all the same could neither write nor leave a setting or a cursor behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from rotator.database.postgres.connection import Connection

_ALONE = sql.SQL("begin read only; {}; rollback")
"""One round trip. The session's own default would not do: any function that runs in it can change that."""


def read(connection: Connection, query: sql.Composable) -> list[tuple[Any, ...]]:
    """The rows of one query, which takes no parameters, in a transaction of its own (or in `unwritten`)."""
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return connection.execute(sql.Composed([query])).fetchall()
    try:
        cursor = connection.execute(_ALONE.format(query))
    except psycopg.Error:
        if not connection.broken:
            connection.execute("rollback")
        raise
    cursor.nextset()
    return cursor.fetchall()


@contextmanager
def unwritten(connection: Connection, isolation: str = "read committed") -> Iterator[None]:
    """A READ ONLY transaction for several reads; settings that are changed in it end with it."""
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("set transaction isolation level {}, read only").format(sql.SQL(isolation)))
        yield
