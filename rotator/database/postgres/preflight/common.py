"""What the preflight's checks share: names out of queries, lists for people, and whether the user may do all."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from rotator.database.compare import capped
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import HAS_RDS_SUPERUSER
from rotator.domain.qualified import qualified

RELATION = "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"

_PRIVILEGED = f"select 1 from pg_roles u where u.rolname = current_user and (u.rolsuper or {HAS_RDS_SUPERUSER})"  # noqa: S608


def rows(connection: Connection, query: str) -> tuple[str, ...]:
    """The first column, as text."""
    return tuple(str(row[0]) for row in connection.execute(sql.SQL(query)).fetchall())


def relations(connection: Connection, query: str) -> tuple[str, ...]:
    """'schema.name', of a query that begins with RELATION; in order."""
    return tuple(sorted(qualified(*row) for row in connection.execute(sql.SQL(query)).fetchall()))


def names(connection: Connection, query: str) -> str:
    """The first column as one text, capped; empty when there are no rows."""
    return "; ".join(capped(rows(connection, query)))


def listed(words: Iterable[str]) -> str:
    """Names one after the other, capped."""
    return ", ".join(capped(words))


def user(connection: Connection) -> str:
    """The user of this connection, quoted as SQL needs it."""
    return rows(connection, "select quote_ident(current_user)")[0]


def is_privileged(connection: Connection) -> bool:
    """Superuser, or what Amazon RDS gives instead of it."""
    return bool(rows(connection, _PRIVILEGED))
