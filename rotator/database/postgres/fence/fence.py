"""The fence: after it, no transaction that wrote can commit, and nobody can write; readers go on.

1. *Cover*: every table gets a BEFORE statement trigger, ENABLE ALWAYS, so that it fires for superusers and under
   session_replication_role = replica as well. Its function still lets everybody through. One short transaction per
   table: at no time two tables are locked, so clients that lock in another order cannot deadlock with the fence.
2. *Close*: one transaction per database replaces the function by one that raises. It locks no table and waits for
   nobody, and it is all or nothing: killed before its commit, the fence is not there.
3. *Drain*: wait for everybody who may have passed a trigger before. A statement that gets its table's lock after the
   commit sees the new function (taking a lock makes a session look for changed catalogs), so it is enough to wait
   for the transactions that hold a writer's lock now. Then for all that have a transaction id now, as one that has
   made and filled a new table holds a lock that nobody else can see.
4. *Look again*: tables that have appeared meanwhile go through 1 to 3.

Triggers and function are in the snapshot: green is born fenced. Event triggers refuse DDL as well, where the privileges
allow (superuser, rds_superuser); elsewhere comparing the schemas finds what was made.

What no trigger can stop is preflight's: large objects, the apply workers of a subscription, nextval() by itself.
`default_transaction_read_only` is not used: any session may turn it off, and it would be in the snapshot.
"""

from __future__ import annotations

import time

from psycopg import errors

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import Relation, databases, refuse_foreign_parents, writable_relations
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.fence.fence_functions import place_ddl_trigger, ready
from rotator.database.postgres.fence.unfence import unfence
from rotator.database.postgres.marker import stamp
from rotator.database.postgres.state import fence_state, open_relations
from rotator.domain.database import FenceState
from rotator.domain.errors import DatabaseError
from rotator.domain.qualified import qualified

_POLL_SECONDS = 0.02


def fence(target: Target, rotation_id: str, budget_seconds: float, *, keep: bool = False) -> FenceState:
    """Fence all databases within the budget, or none: on any failure everything is lifted before the error leaves.

    `keep`: for a server that serves nobody; whatever has been shut stays so, also on a failure.
    """
    deadline = time.monotonic() + budget_seconds
    try:
        stamp(target, rotation_id)
        return _raise(target, databases(target), deadline)
    except BaseException as error:
        if not keep:
            _undo(target, error)
        raise


def _raise(target: Target, names: tuple[str, ...], deadline: float) -> FenceState:
    while True:
        for name in names:
            _cover(target, name, deadline)
        for name in names:
            _close(target, name)
        for name in names:
            _wait_for_writers(target, name, deadline)
        _wait_for_open_transactions(target, deadline)
        state = fence_state(target)
        if state.on:
            return state
        if time.monotonic() >= deadline:
            raise _too_late("tables stay open", state.open_tables)


def _cover(target: Target, database: str, deadline: float) -> None:
    """Step 1: triggers that let everybody through for now. Nothing happens where all tables are closed."""
    with session(target, database, doing="put the fence's triggers on the tables") as connection:
        if _is_shut(connection):
            return
        ready(connection)
        refuse_foreign_parents(connection)
        relations = writable_relations(connection)
        rows = connection.execute(fence_sql.UNCOVERED_TABLES, [[relation.oid for relation in relations]]).fetchall()
        uncovered = {int(row[0]) for row in rows}
        for relation in relations:
            if relation.oid in uncovered:
                _cover_table(connection, relation, deadline)


def _is_shut(connection: Connection) -> bool:
    """Where there is no table, one could be made and filled: DDL is what has to be refused there.

    A fence with a lease opens by itself: it is none yet. An earlier version's is closed again, with today's function.
    """
    if any(connection.execute(each).rowcount for each in (fence_sql.IS_LEASED, fence_sql.IS_EARLIER)):
        return False
    tables = writable_relations(connection)
    refuses = connection.execute(fence_sql.HAS_EVENT_TRIGGERS).rowcount > 0
    return not open_relations(connection) if tables else refuses


def _cover_table(connection: Connection, relation: Relation, deadline: float) -> None:
    left = max(int((deadline - time.monotonic()) * 1000), 1)
    exists = connection.execute(fence_sql.HAS_TRIGGER, [relation.oid]).fetchone() is not None
    watched = connection.execute(fence_sql.HAS_EVENT_TRIGGERS).fetchone() is not None
    try:
        with connection.transaction():
            connection.execute("select set_config('statement_timeout', %s, true)", [str(left)])
            # Closing the database is a commit that waits for the disk; all before it is then there as well.
            connection.execute("set local synchronous_commit = off")
            if watched:  # they refuse our own DDL too; in one transaction, so that others never find them gone
                connection.execute(fence_sql.drop_event_triggers())
            connection.execute(fence_sql.cover(relation, exists=exists))
            if watched:
                connection.execute(fence_sql.create_event_triggers())
    except errors.UndefinedTable:
        return  # dropped meanwhile
    except errors.QueryCanceled:
        raise _held(connection, fence_sql.WRITERS, (relation,)) from None


def _close(target: Target, database: str) -> None:
    """Step 2."""
    with session(target, database, doing="close the fence") as connection:
        if _is_shut(connection):
            return
        with connection.transaction():
            connection.execute(fence_sql.install_refusal())
            place_ddl_trigger(connection, refusing=True)  # preflight reports where we may not; the fence can do without


def _wait_for_writers(target: Target, database: str, deadline: float) -> None:
    """Step 3, first half: until the transactions have ended that hold a writer's lock now."""
    with session(target, database, doing="wait for the writers") as connection:
        relations = writable_relations(connection)
        oids = [[relation.oid for relation in relations]]
        early = _virtual_transactions(connection, oids)
        while early := early & _virtual_transactions(connection, oids):
            if time.monotonic() >= deadline:
                raise _held(connection, fence_sql.WRITERS, relations)
            time.sleep(_POLL_SECONDS)


def _virtual_transactions(connection: Connection, oids: list[list[int]]) -> set[str]:
    return {str(row[0]) for row in connection.execute(fence_sql.WRITERS, oids).fetchall()}


def _wait_for_open_transactions(target: Target, deadline: float) -> None:
    """Step 3, second half: until every transaction has ended that has an id now."""
    with session(target, doing="wait for open transactions") as connection:
        edge = _number(connection, fence_sql.NEXT_TRANSACTION)
        while _number(connection, fence_sql.OLDEST_TRANSACTION) < edge:
            if time.monotonic() >= deadline:
                raise _held(connection, fence_sql.TRANSACTION_HOLDERS, ())
            time.sleep(_POLL_SECONDS)


def _number(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _undo(target: Target, error: BaseException) -> None:
    """Lift what was raised, so that the first error can leave; idle leftovers do not hide it."""
    try:
        unfence(target)
    except DatabaseError as second:
        if second.code != "fence-leftovers":
            raise DatabaseError(
                "the fence could not be raised in all databases, nor lifted again: some tables may refuse writes",
                why=f"{error}; then: {second.what} ({second.why})",
                fix="make the server reachable, then run `rotator rollback`, which lifts the fence",
                code="fence-unknown",
            ) from error


def _held(connection: Connection, query: str, relations: tuple[Relation, ...]) -> DatabaseError:
    parameters = [[relation.oid for relation in relations]] if relations else None
    details = []
    for _, what, pid, prepared, user, application, since in connection.execute(query, parameters).fetchall():
        who = f"prepared transaction {prepared!r}" if prepared else f"pid {pid}"
        via = f", application {application!r}" if application else ""
        at = f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        name = what if isinstance(what, str) else qualified(*what)
        details.append(f"{name} is held by {who} (user {user}{via}{at})")
    return _too_late("others hold locks, or have transactions open, that have written", tuple(dict.fromkeys(details)))


def _too_late(why: str, details: tuple[str, ...]) -> DatabaseError:
    return DatabaseError(
        "the fence could not be raised within its budget; it is lifted again, and nothing has changed",
        why=why,
        fix="end these sessions or wait for them (or raise rotation.fence_budget), then run the command again",
        details=details,
        code="fence-timeout",
    )
