"""The fence: after it, no transaction that wrote can commit, and nobody can write; readers go on.

Per database and in one transaction: every table is locked in SHARE ROW EXCLUSIVE mode, which waits for all who have
written to it; then a BEFORE statement trigger that raises is put on it, ENABLE ALWAYS, so that it fires for superusers
and under session_replication_role = replica as well; the commit lets waiting writers go on, into the trigger. Killed
before the commit, it leaves nothing behind. The triggers are in the snapshot: green is born fenced.

Two holes are closed afterwards. A transaction that had written without a lock that we waited for (into a table
it had just created) is waited for by its transaction id, then the tables are looked over once more. And event triggers
refuse DDL, where the privileges allow (superuser, rds_superuser); elsewhere comparing the schemas finds it.

What no trigger can stop is preflight's: large objects, the apply workers of a subscription, nextval() by itself.
`default_transaction_read_only` is not used: any session may turn it off, and it would be in the snapshot.
"""

from __future__ import annotations

import time

from psycopg import errors, sql

from rotator.database.interface import Target
from rotator.database.postgres import fence_sql
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.lift import lift
from rotator.database.postgres.marker import own_schema, stamp
from rotator.database.postgres.objects import Relation, databases, writable_relations
from rotator.database.postgres.state import fence_state
from rotator.errors import DatabaseError
from rotator.model import FenceState

_RETRY = (errors.DeadlockDetected, errors.UndefinedTable, errors.InternalError_, errors.UniqueViolation)
"""Clients that lock in another order, drop a table meanwhile, or change the same catalog rows: try again."""
_POLL_SECONDS = 0.02


def fence(target: Target, rotation_id: str, budget_seconds: float) -> FenceState:
    """Fence all databases within the budget, or none: on any failure everything is lifted before the error leaves."""
    deadline = time.monotonic() + budget_seconds
    names = databases(target)
    try:
        stamp(target, rotation_id)
        waiting = names
        while waiting:
            for name in waiting:
                _fence_database(target, name, deadline)
            _wait_for_open_transactions(target, deadline)
            state = fence_state(target)
            waiting = tuple(name for name in names if any(table.startswith(f"{name}.") for table in state.open_tables))
            if waiting and time.monotonic() >= deadline:
                raise _too_late("tables stay open", tuple(state.open_tables))
    except BaseException as error:
        _undo(target, error)
        raise
    return state


def _undo(target: Target, error: BaseException) -> None:
    """Lift what was raised, so that the first error can leave; idle leftovers do not hide it."""
    try:
        lift(target)
    except DatabaseError as second:
        if second.code != "fence-leftovers":
            raise DatabaseError(
                "the fence could not be raised in all databases, nor lifted again: some tables may refuse writes",
                why=f"{error}; then: {second.what} ({second.why})",
                fix="make the server reachable, then run `rotator rollback`, which lifts the fence",
                code="fence-unknown",
            ) from error


def _fence_database(target: Target, database: str, deadline: float) -> None:
    with session(target, database, doing="fence the database") as connection:
        while True:
            relations = writable_relations(connection)
            try:
                _arm(connection, relations, deadline)
            except _RETRY:
                if time.monotonic() >= deadline:
                    raise
            except errors.QueryCanceled:
                raise _held(connection, fence_sql.LOCK_HOLDERS, relations) from None
            else:
                return


def _arm(connection: Connection, relations: tuple[Relation, ...], deadline: float) -> None:
    left = max(int((deadline - time.monotonic()) * 1000), 1)
    oids = [relation.oid for relation in relations]
    with connection.transaction():
        # One limit for each statement: the lock may take all that is left, the rest takes milliseconds.
        connection.execute("select set_config('statement_timeout', %s, true)", [str(left)])
        dropped = _try(connection, fence_sql.drop_event_triggers())
        own_schema(connection)
        if relations:
            connection.execute(fence_sql.lock_tables(relations))
        connection.execute(fence_sql.install_refusal())
        if relations:
            existing = connection.execute(fence_sql.EXISTING_TRIGGERS, [oids]).fetchall()
            connection.execute(fence_sql.create_triggers(relations, frozenset(int(row[0]) for row in existing)))
        if dropped:
            _try(connection, fence_sql.create_event_triggers())


def _try(connection: Connection, statement: sql.Composed) -> bool:
    """Whether our privileges allowed it; what preflight reports is no reason to stop here."""
    try:
        with connection.transaction():
            connection.execute(statement)
    except errors.InsufficientPrivilege:
        return False
    return True


def _wait_for_open_transactions(target: Target, deadline: float) -> None:
    """Until every transaction has ended that had an id when the triggers were committed."""
    snapshot = "select pg_snapshot_{}(pg_current_snapshot())::text::bigint"
    with session(target, doing="wait for open transactions") as connection:
        edge = _number(connection, snapshot.format("xmax"))
        while _number(connection, snapshot.format("xmin")) < edge:
            if time.monotonic() >= deadline:
                raise _held(connection, fence_sql.TRANSACTION_HOLDERS, ())
            time.sleep(_POLL_SECONDS)


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _held(connection: Connection, query: str, relations: tuple[Relation, ...]) -> DatabaseError:
    parameters = [[relation.oid for relation in relations]] if relations else None
    details = []
    for what, pid, prepared, user, application, since in connection.execute(query, parameters).fetchall():
        who = f"prepared transaction {prepared!r}" if prepared else f"pid {pid}"
        via = f", application {application!r}" if application else ""
        at = f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        details.append(f"{what} is held by {who} (user {user}{via}{at})")
    return _too_late("others hold locks, or have transactions open, that have written", tuple(details))


def _too_late(why: str, details: tuple[str, ...]) -> DatabaseError:
    return DatabaseError(
        "the fence could not be raised within its budget; it is lifted again, and nothing has changed",
        why=why,
        fix="end these sessions or wait for them (or raise rotation.fence_budget), then run the command again",
        details=details,
        code="fence-timeout",
    )
