"""Preflight of what the databases share. Every check gives its findings; none raises for a trouble it looks for."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from rotator.database.postgres.catalog.objects import CLOSED_DATABASES
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import OWN_SUBSCRIPTION
from rotator.database.postgres.preflight.common import is_privileged, listed, names
from rotator.database.postgres.replication.names import OWN_PREFIX
from rotator.database.postgres.static_settings import pending
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified, quoted

OLDEST = 130000
LONG_SECONDS = 60
"""A transaction older than this would hold up the fence."""


def server_findings(connection: Connection, *, long_seconds: int = LONG_SECONDS) -> Iterator[Finding]:
    """Version, replica, subscriptions, prepared and long transactions, slots, vacuum, privileges, lock table."""
    for check in (
        _version,
        _recovery,
        _subscriptions,
        _prepared,
        _closed_databases,
        _vacuums,
        _slots,
        _ddl_privilege,
        _signal_privilege,
        pending,
    ):
        yield from check(connection)
    yield from _long_transactions(connection, long_seconds)


def _version(connection: Connection) -> Iterator[Finding]:
    version = connection.info.server_version
    if version < OLDEST:
        yield Finding(
            "version",
            f"PostgreSQL {version // 10000} is too old",
            "the tool is made for PostgreSQL 13 and later",
            "upgrade the engine first",
            blocks=True,
        )


def _recovery(connection: Connection) -> Iterator[Finding]:
    if names(connection, "select 'replica' where pg_is_in_recovery()"):
        yield Finding(
            "replica",
            "this server is a read replica",
            "it cannot be fenced, and its primary would keep the old key",
            "rotate the primary, then make its replicas anew",
            blocks=True,
        )


def _subscriptions(connection: Connection) -> Iterator[Finding]:
    query = f"""select d.datname, s.subname from pg_subscription s
      join pg_database d on d.oid = s.subdbid
     where s.subenabled and not {OWN_SUBSCRIPTION}"""
    if found := connection.execute(sql.SQL(query)).fetchall():
        words = listed(f"database {qualified(database)}: {qualified(name)}" for database, name in found)
        yield Finding(
            "subscription",
            f"enabled subscriptions: {words}",
            "a subscription's workers fire no statement triggers, so they would write past the fence; and green's copy"
            " of the subscription would take changes away from this server",
            "ALTER SUBSCRIPTION ... DISABLE; before the rotation, and move them to green after it",
            blocks=True,
        )


def _prepared(connection: Connection) -> Iterator[Finding]:
    query = "select format('%s (database %s, owner %s)', gid, database, owner) from pg_prepared_xacts order by 1"
    if found := names(connection, query):
        yield Finding(
            "prepared-transaction",
            f"prepared transactions: {found}",
            "they hold their locks until somebody ends them: the fence would wait for ever, and green would keep them",
            "COMMIT PREPARED or ROLLBACK PREPARED each of them",
            blocks=True,
        )


def _closed_databases(connection: Connection) -> Iterator[Finding]:
    if found := names(connection, f"{CLOSED_DATABASES} order by 1"):
        yield Finding(
            "database-closed",
            f"databases that nobody can connect to: {found}",
            "the snapshot carries them as they are; nothing in them is fenced, replicated or compared. One that is"
            " opened before the flip, even for a moment, stops the flip",
            "leave them closed until the rotation is over; or open them before it begins (ALTER DATABASE ..."
            " ALLOW_CONNECTIONS true;), and they take part",
            blocks=False,
        )


def _long_transactions(connection: Connection, seconds: int) -> Iterator[Finding]:
    query = f"""select format('pid %s (database %s, user %s, application %s, since %s)', pid, datname, usename,
        application_name, to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS "UTC"')) from pg_stat_activity
      where xact_start < now() - interval '{int(seconds)} seconds' and pid <> pg_backend_pid()
        and backend_type in ('client backend', 'parallel worker', 'background worker') order by xact_start"""
    if found := names(connection, query):
        yield Finding(
            "long-transaction",
            f"transactions open for more than {seconds} seconds: {found}",
            "the fence waits for those that have written, and gives up after rotation.fence_budget",
            "let them end before the rotation, or end them with pg_terminate_backend(pid)",
            blocks=False,
        )


def _vacuums(connection: Connection) -> Iterator[Finding]:
    query = "select format('pid %s in database %s', pid, datname) from pg_stat_progress_vacuum order by 1"
    if found := names(connection, query):
        yield Finding(
            "vacuum",
            f"VACUUM is running: {found}",
            "its lock conflicts with the fence's; an ordinary autovacuum gives way, others do not",
            "wait until it has ended if the fence gives up",
            blocks=False,
        )


def _slots(connection: Connection) -> Iterator[Finding]:
    query = f"""select format('%s (%s)', slot_name, slot_type) from pg_replication_slots
     where not temporary and not starts_with(slot_name, '{OWN_PREFIX}') order by 1"""
    if found := names(connection, query):
        yield Finding(
            "replication-slot",
            f"replication slots: {found}",
            "their consumers read from this server and do not follow to green; RDS keeps no slots in a restored one",
            "plan for their consumers: new slots on green after the flip, with a fresh start of each",
            blocks=False,
        )


def _ddl_privilege(connection: Connection) -> Iterator[Finding]:
    if not is_privileged(connection):
        user = names(connection, "select current_user")
        yield Finding(
            "no-event-trigger",
            f"{user} may not create event triggers",
            "DDL is not refused during the rotation; where it made a difference, comparing the schemas stops the flip",
            "run no DDL during the rotation, or use a member of rds_superuser",
            blocks=False,
        )


def _signal_privilege(connection: Connection) -> Iterator[Finding]:
    query = "select current_user where not pg_has_role('pg_signal_backend', 'USAGE')"
    if user := names(connection, query):
        yield Finding(
            "no-signal",
            f"{user} may not end other users' sessions",
            "after the flip, clients stay on blue (fenced) until they reconnect by themselves",
            f"GRANT pg_signal_backend TO {quoted(user)};",
            blocks=False,
        )
