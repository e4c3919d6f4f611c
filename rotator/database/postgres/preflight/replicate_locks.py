"""Preflight of strategy replicate: does the server's lock table hold what one statement of the rotation needs at once?

All other work is done in batches. But CREATE SUBSCRIPTION locks every published table of its database until it ends, on
green, and at a rollback here; both servers have the same settings.
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import rows
from rotator.domain.database import Finding

OTHERS = 100
"""Locks that are left for everybody else, besides those that are held now."""

_SESSIONS = """
select sum(setting::int) + 1 from pg_settings
 where name in ('max_connections', 'max_prepared_transactions', 'max_worker_processes', 'max_wal_senders')
    or name = (select max(name) from pg_settings where name in ('autovacuum_max_workers', 'autovacuum_worker_slots'))
"""
"""NLOCKENTS and MaxBackends in PostgreSQL's source; autovacuum_worker_slots is there since 18."""
_HELD = "select count(*) from pg_locks where not fastpath and pid is distinct from pg_backend_pid()"


def lock_findings(connection: Connection, database: str, tables: int) -> Iterator[Finding]:
    """`database`: the one with the most tables, of which there are so many."""
    each, sessions, held = (
        int(rows(connection, query)[0]) for query in ("show max_locks_per_transaction", _SESSIONS, _HELD)
    )
    needed = tables + held + OTHERS
    if needed > each * sessions:
        yield Finding(
            "lock-table",
            f"the lock table holds {each * sessions:,} locks (max_locks_per_transaction is {each}, for {sessions}"
            f" sessions): {needed:,} are needed",
            f"to subscribe green to database {database} locks its {tables:,} tables at once, and so does the reverse"
            " replication here: 'out of shared memory'",
            f"set the parameter max_locks_per_transaction = {-(-needed * 5 // (4 * sessions))} or more, and reboot the"
            " instance, which pauses writes for seconds; or take strategy snapshot, which needs no such statement",
            blocks=True,
        )
