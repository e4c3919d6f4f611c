"""What would make a fence, a snapshot or a comparison fail, or lose data. One finding per trouble, objects named."""

from __future__ import annotations

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.connection import session
from rotator.database.postgres.encryption import encryption_findings
from rotator.database.postgres.preflight.database import database_findings
from rotator.database.postgres.preflight.server import server_findings
from rotator.domain.database import Finding
from rotator.domain.errors import DatabaseUnreachable
from rotator.domain.qualified import qualified, quoted


def findings(target: Target) -> tuple[Finding, ...]:
    """Findings of the server, then of each database. Raises DatabaseUnreachable only for the first connection."""
    with session(target, doing="look over the server") as connection:
        found = [*server_findings(connection), *encryption_findings(target, connection)]
    for name in databases(target):
        try:
            with session(target, name, doing="look over the database") as connection:
                found += database_findings(name, connection)
        except DatabaseUnreachable as error:
            found.append(
                Finding(
                    "database-connect",
                    f"database {qualified(name)}: cannot connect as {target.user}",
                    f"its tables could neither be fenced nor compared ({error.why})",
                    f"GRANT CONNECT ON DATABASE {quoted(name)} TO {quoted(target.user)};",
                    blocks=True,
                )
            )
    return tuple(found)
