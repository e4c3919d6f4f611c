"""The fence's idle triggers, put on tables that are being written to, without making anybody wait.

A trigger needs a lock that writers' locks conflict with, and whoever writes to the table queues behind the request. So
each request waits for some milliseconds at most, and is made when no long transaction holds the table; again and again.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import errors, sql

from rotator.database.postgres.catalog.objects import Relation, writable_relations
from rotator.database.postgres.connection import APPLICATION, Connection
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.fence.fence_functions import ready
from rotator.domain.errors import DatabaseError

TABLE_MILLISECONDS = 40
"""How long writers queue behind one request at most."""
LAST_MILLISECONDS = 500
"""The same for the last request, after the sessions that held the table have been ended."""
GENTLE_SECONDS = 60.0
_POLL_SECONDS = 0.01
_BETWEEN_SECONDS = 0.25
_OLD_MILLISECONDS = 30

_HOLDERS = f"""
select a.pid, a.usename, a.application_name, a.xact_start
  from pg_locks l join pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'relation' and l.granted and l.relation = %s::oid
   and l.database = (select oid from pg_database where datname = current_database())
   and l.mode not in ('AccessShareLock', 'RowShareLock') and a.pid <> pg_backend_pid()
   and a.backend_type = 'client backend' and not (a.application_name = '{APPLICATION}' and a.usename = current_user)
"""
_OLD_HOLDERS = f"{_HOLDERS} and a.xact_start < clock_timestamp() - make_interval(secs => %s)"


@dataclass
class Covering:
    """Puts triggers on all tables of these databases. `cut_off` collects the sessions that were ended for it."""

    connections: Mapping[str, Connection]
    cut_off: list[str] = field(default_factory=list)

    def patiently(self, seconds: float, progress: Callable[[str], None]) -> tuple[str, ...]:
        """As far as nobody is in the way within `seconds`; the tables that are left."""
        deadline = time.monotonic() + seconds
        left = self._uncovered()
        while left:
            left = [(name, relation) for name, relation in left if not self._try(name, relation, TABLE_MILLISECONDS)]
            if not left or time.monotonic() >= deadline:
                break
            progress(f"waiting for a moment without long transactions on {len(left)} tables")
            time.sleep(_POLL_SECONDS)
        return tuple(relation.within(name) for name, relation in left)

    def finish(self) -> None:
        """The rest: end the sessions that hold those tables. Raises DatabaseError 'window-cover' when that fails."""
        for name, relation in self._uncovered():
            connection = self.connections[name]
            for row in connection.execute(_HOLDERS, [relation.oid]).fetchall():
                self._end(connection, row)
            if not self._try(name, relation, LAST_MILLISECONDS, whoever=True):
                raise DatabaseError(
                    f"table {relation.within(name)} cannot be made ready for the fence",
                    why="long transactions hold it, and their sessions could not be ended",
                    fix="end them or let them end, then run the same command again; nothing has changed",
                    details=tuple(who(row) for row in connection.execute(_HOLDERS, [relation.oid]).fetchall()),
                    code="window-cover",
                )

    def _uncovered(self) -> list[tuple[str, Relation]]:
        found = []
        for name, connection in self.connections.items():
            ready(connection)
            relations = writable_relations(connection)
            rows = connection.execute(fence_sql.UNCOVERED_TABLES, [[each.oid for each in relations]]).fetchall()
            without_identity = {int(row[0]) for row in rows}
            found += [(name, relation) for relation in relations if relation.oid in without_identity]
        return found

    def _try(self, name: str, relation: Relation, milliseconds: int, *, whoever: bool = False) -> bool:
        """Whether the table has its trigger now (or is gone)."""
        connection = self.connections[name]
        if not whoever and connection.execute(_OLD_HOLDERS, [relation.oid, _OLD_MILLISECONDS / 1000]).rowcount:
            return False
        exists = connection.execute(fence_sql.HAS_TRIGGER, [relation.oid]).fetchone() is not None
        try:
            with connection.transaction():
                connection.execute("select set_config('lock_timeout', %s, true)", [f"{milliseconds}ms"])
                connection.execute("set local synchronous_commit = off")
                connection.execute(fence_sql.cover(relation, exists=exists))
        except errors.UndefinedTable:
            return True
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            return False
        return True

    def _end(self, connection: Connection, row: tuple[Any, ...]) -> None:
        try:
            connection.execute("select pg_terminate_backend(%s, 2000)", [row[0]])
        except errors.InsufficientPrivilege:
            return  # the last request fails, and its error names the session
        self.cut_off.append(who(row))


def who(row: tuple[Any, ...]) -> str:
    """A session in words, from (pid, user, application, begin of its transaction).

    Never its statement: that holds values of rows, and these words are kept.
    """
    pid, user, application, since = row
    via = f", application {application!r}" if application else ""
    at = f", open since {since:%H:%M:%S.%f} UTC" if since else ""
    return f"pid {pid} (user {user}{via}{at})"


def gently(connection: Connection, statement: sql.Composed, table: str, seconds: float = GENTLE_SECONDS) -> None:
    """A change of a table that needs a strong lock, polled for: some milliseconds each time.

    Raises DatabaseError 'table-busy' when the table is never free for it.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            with connection.transaction():
                connection.execute("select set_config('lock_timeout', %s, true)", [f"{TABLE_MILLISECONDS}ms"])
                connection.execute(statement)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if time.monotonic() >= deadline:
                raise DatabaseError(
                    f"table {table} is never free for a change of its replica identity",
                    why=f"long transactions have held it for {seconds:.0f} s",
                    fix="let them end or end them, then run the same command again",
                    code="table-busy",
                ) from None
            time.sleep(_BETWEEN_SECONDS)
        else:
            return
