"""What would make logical replication to green fail, or fall behind, or leave something out. Objects named.

These findings come beside those of `preflight`, which every rotation has, and repeat none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.common import rows
from rotator.database.postgres.preflight.replicate_capacity import capacity_findings
from rotator.database.postgres.preflight.replicate_code import code_findings
from rotator.database.postgres.preflight.replicate_database import database_findings
from rotator.database.postgres.preflight.replicate_identity import COUNT_TABLES, HAS_TABLES
from rotator.database.postgres.preflight.replicate_locks import lock_findings
from rotator.database.postgres.preflight.replicate_sequences import sequence_findings
from rotator.database.postgres.preflight.replicate_server import OPEN_SECONDS, server_findings
from rotator.database.postgres.preflight.replicate_settings import settings_findings
from rotator.database.postgres.preflight.replicate_tables import table_findings
from rotator.database.replication import Budgets
from rotator.domain.database import Finding
from rotator.domain.errors import DatabaseUnreachable

OLDEST = 140000
"""hash_record_extended, which the contents are compared with; and the views that these checks read."""


def replicate_findings(
    target: Target,
    *,
    strengthen: bool,
    rotation_id: str | None = None,
    open_seconds: int = OPEN_SECONDS,
    headroom: int = Budgets.headroom,
) -> tuple[Finding, ...]:
    """Findings of the server, then of each database. Raises DatabaseUnreachable only for the first connection.

    `strengthen`: tables without a key may be given REPLICA IDENTITY FULL for the time of the rotation.
    `rotation_id`: what this rotation itself has made already is neither in its own way nor left over.
    `headroom`: numbers that sequences skip at the flip.
    `open_seconds`: transactions that have written and are older than this are named.
    """
    with session(target, doing="look over the server") as connection:
        if found := tuple(version_findings(connection.info.server_version)):
            return found
    count, of_databases, tables = 0, list[Finding](), dict[str, int]()
    for name in databases(target):
        try:
            with session(target, name, doing="look over the database") as connection:
                count += bool(name == target.database or rows(connection, HAS_TABLES))
                tables[name] = int(rows(connection, COUNT_TABLES)[0])
                of_databases += database_findings(name, connection, rotation_id)
                of_databases += table_findings(name, connection, strengthen=strengthen)
                of_databases += code_findings(name, connection)
                of_databases += sequence_findings(name, connection, headroom)
                of_databases += settings_findings(name, connection)
        except DatabaseUnreachable:
            count += 1  # `preflight` says that it cannot be connected to; it may have tables
    with session(target, doing="look over the server") as connection:
        of_server = (
            *server_findings(connection, rotation_id, open_seconds),
            *capacity_findings(connection, count, rotation_id),
            *(lock_findings(connection, *max(tables.items(), key=lambda each: each[1])) if tables else ()),
        )
    return (*of_server, *of_databases)


def version_findings(version: int) -> Iterator[Finding]:
    """`version` as the server's number, such as 150018."""
    if version < OLDEST:
        yield Finding(
            "replicate-version",
            f"PostgreSQL {version // 10000} is too old for strategy replicate",
            "the contents of both sides are compared, while writes go on, by functions that PostgreSQL has since 14",
            "upgrade the engine first, or take strategy snapshot",
            blocks=True,
        )
