"""Preflight of strategy replicate, what the databases share: settings, rights, what is left over, open transactions."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import is_privileged, listed, names, rows, user
from rotator.database.postgres.preflight.replicate_capacity import made_by
from rotator.database.postgres.replication import secret
from rotator.database.postgres.replication.names import Names, is_own
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified, quoted

OPEN_SECONDS = 10
"""Writing transactions that are older than this are named. Shorter ones are everyday life."""

RETENTION_HOURS = 48
"""A slot lies unread while the snapshot is taken, copied and restored: terabytes take a day."""


def server_findings(connection: Connection, rotation_id: str | None, open_seconds: int) -> Iterator[Finding]:
    """`rotation_id`: whose slots and subscriptions may be there."""
    yield from _wal_level(connection)
    yield from _rights(connection)
    yield from _leftovers(connection, rotation_id)
    yield from _retention(connection)
    yield from _slot_timeout(connection)
    yield from _statement_log(connection)
    yield from _left_logins(connection, rotation_id)
    yield from _open_transactions(connection, open_seconds)


def _wal_level(connection: Connection) -> Iterator[Finding]:
    level = rows(connection, "show wal_level")[0]
    if level != "logical":
        yield Finding(
            "wal-level",
            f"wal_level is {level}",
            "changes can only be read out of the log for another server when it is logical",
            "set the parameter rds.logical_replication = 1 and reboot the instance, which pauses writes for seconds"
            " (elsewhere: wal_level = logical and a restart)",
            blocks=True,
        )


def _rights(connection: Connection) -> Iterator[Finding]:
    lacking = {} if is_privileged(connection) else _lacking(connection, user(connection))
    if lacking:
        yield Finding(
            "replication-rights",
            f"{user(connection)} may not make {', '.join(lacking)}",
            "replication to green needs slots and a login of its own on this server, and subscriptions on green",
            f"use a member of rds_superuser; elsewhere: {' '.join(dict.fromkeys(lacking.values()))}",
            blocks=True,
        )


def _lacking(connection: Connection, who: str) -> dict[str, str]:
    """What the user may not make -> what would give the right to."""
    replicates = rows(
        connection,
        """select 1 from pg_roles u where u.rolname = current_user and (u.rolreplication or exists (
             select from pg_roles r where r.rolname = 'rds_replication' and pg_has_role(r.oid, 'USAGE')))""",
    )
    creates = rows(connection, "select 1 from pg_roles where rolname = current_user and rolcreaterole")
    predefined = connection.info.server_version >= 160000
    subscribes = predefined and rows(connection, "select 1 where pg_has_role('pg_create_subscription', 'USAGE')")
    lacking = {}
    if not replicates:
        lacking["replication slots"] = f"ALTER ROLE {who} REPLICATION;"
    if not subscribes:
        lacking["subscriptions"] = (
            f"GRANT pg_create_subscription TO {who};" if predefined else f"ALTER ROLE {who} SUPERUSER;"
        )
    if not creates:
        lacking["roles"] = f"ALTER ROLE {who} CREATEROLE;"
    return lacking


def _leftovers(connection: Connection, rotation_id: str | None) -> Iterator[Finding]:
    ours = made_by(connection, rotation_id)
    slots = [each for each in rows(connection, "select slot_name from pg_replication_slots order by 1") if is_own(each)]
    subscriptions = connection.execute(
        "select s.subname, d.datname from pg_subscription s join pg_database d on d.oid = s.subdbid order by 1, 2"
    ).fetchall()
    left = [
        (f"subscription {qualified(name)} (database {qualified(database)})", _drop_subscription(name, database))
        for name, database in subscriptions
        if is_own(name) and name not in ours
    ]
    left += [(f"slot {name}", _drop_slot(name)) for name in slots if name not in ours]
    if left:
        yield Finding(
            "own-leftover",
            f"replication of an earlier rotation: {'; '.join(what for what, _ in left)}",
            "an earlier rotation's replication is still there: its slots keep the log from being removed, and its"
            " subscriptions write",
            f"finish that rotation (retire or rollback), or: {' '.join(fix for _, fix in left)}",
            blocks=True,
        )


def _drop_slot(name: str) -> str:
    return f"SELECT pg_drop_replication_slot({sql.Literal(name).as_string()});"


def _drop_subscription(name: str, database: str) -> str:
    typed = quoted(name)
    return (
        f"in database {qualified(database)}: ALTER SUBSCRIPTION {typed} DISABLE;"
        f" ALTER SUBSCRIPTION {typed} SET (slot_name = NONE); DROP SUBSCRIPTION {typed};"
    )


def _retention(connection: Connection) -> Iterator[Finding]:
    """Measured against the average rate at which this server has written its log since its statistics began."""
    query = """select current_setting('max_slot_wal_keep_size'), (s.setting::numeric * 1024 * 1024 / greatest(
        w.wal_bytes / greatest(extract(epoch from now() - w.stats_reset), 1), 1) / 3600)::float
      from pg_settings s, pg_stat_wal w
     where case s.name when 'max_slot_wal_keep_size' then s.setting::bigint end >= 0"""
    for size, hours in connection.execute(query).fetchall():
        if hours < RETENTION_HOURS:
            yield Finding(
                "wal-retention",
                f"max_slot_wal_keep_size is {size}: at this server's average rate that lasts {hours:,.1f} hours",
                "the slots keep the log from before the snapshot until green reads it; one that is cut off loses what"
                " green needs, and the rotation has to start again",
                "max_slot_wal_keep_size = -1, and storage enough for the log of the whole rotation",
                blocks=False,
            )


def _slot_timeout(connection: Connection) -> Iterator[Finding]:
    query = """select current_setting(name) from pg_settings
      where case name when 'idle_replication_slot_timeout' then setting::bigint end > 0"""
    for timeout in rows(connection, query):
        yield Finding(
            "slot-timeout",
            f"idle_replication_slot_timeout is {timeout}",
            "the slots lie idle while the snapshot is taken, copied and restored; one that is idle for longer is cut"
            " off, and the rotation has to start again",
            "idle_replication_slot_timeout = 0 for the time of the rotation",
            blocks=False,
        )


def _statement_log(connection: Connection) -> Iterator[Finding]:
    """What would record the login's password where the tool can neither switch it off nor take it out again."""
    loud = secret.loud(connection)
    if secret.can_forget(connection):
        loud.pop("pg_stat_statements.track", None)
    if loud:
        words = listed(f"{name} = {value}" for name, value in loud.items())
        yield Finding(
            "statement-log",
            f"the server records statements within others: {words}",
            "the statement that makes green's subscription holds the password of the rotation's own login, which can"
            " read every change: whoever reads that record has it for as long as the rotation lasts",
            "until green follows: pg_stat_statements.track = top, pgaudit.log without ddl; or let the tool do so:"
            + "".join(f" GRANT SET ON PARAMETER {name} TO {user(connection)};" for name in loud)
            + " (PostgreSQL 15)",
            blocks=False,
        )


def _left_logins(connection: Connection, rotation_id: str | None) -> Iterator[Finding]:
    """Of rotations that are over, or were given up: their passwords may still be known to old subscriptions."""
    ours = Names(rotation_id).role if rotation_id is not None else None
    query = """select quote_ident(r.rolname), r.rolname, array_agg(distinct
        format('REVOKE ALL ON DATABASE %I FROM %I;', d.datname, r.rolname)) filter (where d.datname is not null)
      from pg_roles r left join (pg_database d cross join lateral aclexplode(d.datacl) a) on a.grantee = r.oid
     where r.rolcanlogin group by r.rolname order by 1"""
    found = [row for row in connection.execute(sql.SQL(query)).fetchall() if is_own(str(row[1])) and row[1] != ours]
    if found:
        yield Finding(
            "own-login",
            f"logins of earlier rotations: {listed(str(quoted) for quoted, *_ in found)}",
            "each can read every change of this server with a password that nobody needs any more",
            "finish that rotation (retire or rollback), or: "
            + " ".join(" ".join((*(revokes or ()), f"DROP ROLE {quoted};")) for quoted, _, revokes in found),
            blocks=False,
        )


def _open_transactions(connection: Connection, seconds: int) -> Iterator[Finding]:
    query = f"""select format('pid %s (database %s, user %s, application %s, since %s)', pid, datname, usename,
        application_name, to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS "UTC"')) from pg_stat_activity
      where backend_xid is not null and pid <> pg_backend_pid()
        and xact_start <= now() - interval '{int(seconds)} seconds' order by xact_start"""
    if found := names(connection, query):
        yield Finding(
            "long-open-transaction",
            f"transactions that have written and are open for {seconds} seconds or more: {found}",
            "a slot can only be made when all of them have ended, in whatever database",
            "let them end before the rotation, or end them with pg_terminate_backend(pid)",
            blocks=False,
        )
