"""The receiving side before it follows: a restored server has subscriptions, slots and jobs of blue, and writers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.catalog.extensions import has_table
from rotator.database.postgres.catalog.objects import each_database
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.fence.fence import fence
from rotator.database.postgres.marker import mark
from rotator.database.postgres.names import OWN_SUBSCRIPTION, SCHEMA
from rotator.database.postgres.reading.ownership import is_ours
from rotator.database.postgres.replication.names import Names
from rotator.domain.errors import DatabaseError

_AS_ORIGIN = """
select set_config('session_replication_role', 'origin', true)
 where current_setting('session_replication_role') = 'replica'
"""
_FENCE_FUNCTION = "select pg_get_functiondef(p.oid) from pg_proc p where p.oid = to_regproc(%s)"


def quarantine(target: Target, names: Names, budget_seconds: float) -> tuple[str, ...]:
    """Make a restored server harmless: no foreign subscription, no copied slot, no job; and no writer. Words."""
    done = [word for part in each_database(target, "quarantine", _disarm) for word in part]
    with session(target, doing="remove the slots that came along") as connection:
        back = Names(names.rotation_id, back=True)
        rows = connection.execute("select slot_name, active from pg_replication_slots where not temporary").fetchall()
        for slot, active in rows:
            if re.search(back.pattern, str(slot)):
                continue
            if active:
                raise DatabaseError(
                    f"somebody reads from slot {slot} of the restored server",
                    why="a consumer of blue found its way to green, and takes changes that are not its own",
                    fix="stop that consumer, then run the same command again",
                    code="green-consumer",
                )
            connection.execute("select pg_drop_replication_slot(%s)", [slot])
            done.append(f"slot {slot} removed")
    shut(target, names, budget_seconds)
    mark(target, "green")
    return tuple(done)


def shut(target: Target, names: Names, budget_seconds: float) -> None:
    """Nobody writes but the subscriptions, and all that was begun has ended; what is shut stays shut in any case."""
    fence(target, names.rotation_id, budget_seconds, keep=True)


def _disarm(database: str, connection: Connection) -> list[str]:
    done = []
    # One that is not enabled contacts nobody.
    query = (
        f"select s.subname from pg_subscription s where s.subenabled and not {OWN_SUBSCRIPTION}"  # noqa: S608
        " and s.subdbid = (select oid from pg_database where datname = current_database())"
    )
    for (name,) in connection.execute(query).fetchall():
        one = sql.Identifier(str(name))
        connection.execute(sql.SQL("alter subscription {} disable").format(one))
        connection.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(one))
        done.append(f"subscription {name} in {database} cut off from its slot")
    if has_table(connection, "pg_cron", "cron", "job"):
        done += [f"job {job} of pg_cron in {database} deactivated" for job in _deactivate_jobs(connection)]
    return done


def _deactivate_jobs(connection: Connection) -> list[int]:
    """Those that are active. Once green is fenced so is their table, and its trigger fires also where no row changes.

    Then the fence lets through inside this transaction alone: for all others it stands all the time.
    """
    if not connection.execute("select from cron.job where active").rowcount:
        return []
    with connection.transaction():
        refusal = (
            connection.execute(_FENCE_FUNCTION, [f"{SCHEMA}.refuse_write"]).fetchone() if is_ours(connection) else None
        )
        if refusal:
            connection.execute(fence_sql.open_refusal())
        with connection.transaction(), _as_origin(connection):  # pg_cron learns of it by an ordinary trigger
            jobs = connection.execute("update cron.job set active = false where active returning jobid").fetchall()
        if refusal:
            connection.execute(refusal[0])
    return [int(row[0]) for row in jobs]


@contextmanager
def _as_origin(connection: Connection) -> Iterator[None]:
    was = connection.execute("select current_setting('session_replication_role')").fetchone()
    connection.execute(_AS_ORIGIN)
    yield
    if was and was[0] == "replica":
        connection.execute("set local session_replication_role = replica")
