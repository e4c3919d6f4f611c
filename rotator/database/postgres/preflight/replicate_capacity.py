"""Preflight of strategy replicate: are there slots, senders and workers enough, here and on green?

Green has this server's parameters, and the reverse replication needs as much: one count serves for both.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import rows
from rotator.database.postgres.replication.names import Names
from rotator.domain.database import Finding


@dataclass(frozen=True)
class _Limit:
    """A setting that holds up to so many `things`; `used` gives a name for each that is taken."""

    code: str
    things: str
    setting: str
    used: str
    why: str


_NO_WORKERS = (
    *("client backend", "parallel worker", "autovacuum launcher", "autovacuum worker", "background writer"),
    *("checkpointer", "walwriter", "walsender", "walreceiver", "archiver", "startup", "logger", "standalone backend"),
    *("walsummarizer", "slotsync worker", "io worker"),
)
"""backend_type of processes that take no place of max_worker_processes, and of parallel queries, which give way."""

_LIMITS = (
    _Limit(
        "slots-full",
        "replication slots",
        "max_replication_slots",
        "select slot_name from pg_replication_slots",
        "every database with tables needs one here, and one on green for the reverse replication",
    ),
    _Limit(
        "senders-full",
        "WAL senders",
        "max_wal_senders",
        "select application_name from pg_stat_replication",
        "every database with tables is sent by one, here and on green for the reverse replication",
    ),
    _Limit(
        "workers-full",
        "logical replication workers",
        "max_logical_replication_workers",
        "select subname from pg_stat_subscription where pid is not null",
        "on green every database with tables has one that applies changes, and here too for the reverse replication",
    ),
    _Limit(
        "workers-full",
        "worker processes",
        "max_worker_processes",
        f"""select coalesce(s.subname, a.backend_type) from pg_stat_activity a
             left join pg_stat_subscription s on s.pid = a.pid
            where a.backend_type not in ({", ".join(f"'{each}'" for each in _NO_WORKERS)})""",
        "on green every database with tables has one that applies changes, and here too for the reverse replication",
    ),
    _Limit(
        "origins-full",
        "replication origins",
        "max_active_replication_origins",
        """select coalesce(s.subname, o.roname) from pg_replication_origin o
             left join pg_subscription s on o.roname = 'pg_' || s.oid""",
        "every subscription on green keeps its position in one, and here too for the reverse replication",
    ),
)
"""Before PostgreSQL 18, origins are limited by max_replication_slots too, and are never more than the slots here."""


def made_by(connection: Connection, rotation_id: str | None) -> frozenset[str]:
    """Names of slots and subscriptions that this rotation may have made, in either direction."""
    if rotation_id is None:
        return frozenset()
    oids = [int(oid) for oid in rows(connection, "select oid from pg_database")]
    return frozenset(Names(rotation_id, back).slot(oid) for back in (False, True) for oid in oids)


def capacity_findings(connection: Connection, count: int, rotation_id: str | None) -> Iterator[Finding]:
    """`count`: databases with tables. What this rotation has made already is not in its own way."""
    ours = made_by(connection, rotation_id)
    for limit in _LIMITS:
        for most in rows(connection, f"select setting from pg_settings where name = '{limit.setting}'"):
            used = sum(name not in ours for name in rows(connection, limit.used))
            if used + count > int(most):
                yield _full(limit, int(most), used, count)


def _full(limit: _Limit, most: int, used: int, count: int) -> Finding:
    return Finding(
        limit.code,
        f"{limit.setting} is {most}, and {used} {limit.things} are in use: {count} more are needed",
        limit.why,
        f"set the parameter {limit.setting} = {used + count} or more, and reboot the instance, which pauses writes for"
        " seconds; or drop what nobody uses",
        blocks=True,
    )
