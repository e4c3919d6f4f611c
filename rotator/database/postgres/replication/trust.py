"""Before changes are applied: no code of others would run with rights that they do not have. On the receiving side.

Preflight asks the same of blue. Between it and the snapshot somebody may have made something; once green is shut, and
blue fenced, nobody does any more.
"""

from __future__ import annotations

from rotator.database.postgres.catalog.applied_code import applied, unreachable_owners
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.replicate_code import cannot_become, foreign_code
from rotator.domain.database import Finding
from rotator.domain.errors import DatabaseError


def refuse(database: str, connection: Connection) -> None:
    """Raise DatabaseError 'apply-code' or 'apply-role' when a subscription here would run what it must not."""
    version = connection.info.server_version
    if mistrusted := [each for each in applied(connection, version) if each.mistrusted]:
        finding = foreign_code(database, version, mistrusted)
        raise _refused(finding, f"take this rotation back with rollback; then, before the next one: {finding.fix}")
    if owners := unreachable_owners(connection):
        finding = cannot_become(database, connection, owners)
        raise _refused(finding, f"on blue and on green: {finding.fix} Then run the same command again")


def _refused(finding: Finding, fix: str) -> DatabaseError:
    return DatabaseError(f"changes are not applied: {finding.what}", why=finding.why, fix=fix, code=finding.code)
