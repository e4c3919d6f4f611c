"""Whether a table can be read as its owner, and what has to be granted where it cannot be.

Whoever owns a table can make any query of it run their code, at any moment. So what is read as ourselves belongs to
somebody who has no less rights than we have.
"""

from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import RDS_SUPERUSER
from rotator.database.postgres.reading.become import how_to_become

OURS = f"(o.rolname = current_user or o.rolsuper or {RDS_SUPERUSER.format(role='o')})"
"""SQL condition: owner `o` has no less than we have."""

_OTHERS = (
    (
        "has_database_privilege(o.oid, current_database(), 'TEMPORARY')",
        "format('GRANT TEMPORARY ON DATABASE %I TO %I;', current_database(), o.rolname)",
    ),
    (
        "has_schema_privilege(o.oid, c.relnamespace, 'USAGE')",
        "format('GRANT USAGE ON SCHEMA %s TO %I;', c.relnamespace::regnamespace, o.rolname)",
    ),
    (
        "has_table_privilege(o.oid, c.oid, 'SELECT')",
        "format('GRANT SELECT ON %s TO %I;', c.oid::regclass, o.rolname)",
    ),
    (
        "has_language_privilege(o.oid, 'plpgsql', 'USAGE')",
        "format('GRANT USAGE ON LANGUAGE plpgsql TO %I;', o.rolname)",
    ),
)
"""What owner `o` of table `c` needs for a function that reads it, and the GRANT of it, as SQL."""


def unreadable(version: int) -> str:
    """SQL condition: table `c` of owner `o` can be read neither as its owner nor, whatever its owner does, as us.

    `version` as the server's number, such as 160004.
    """
    able = " and ".join([_become(version), *(right for right, _ in _OTHERS)])
    return f"(not {OURS} and not ({able}))"


def remedy(connection: Connection, tables: str) -> str:
    """The GRANTs after which all of these tables can be read. `tables`: a query that gives their numbers; constant."""
    version = connection.info.server_version
    whole = f"""from pg_class c join pg_roles o on o.oid = c.relowner
      where c.oid in ({tables}) and {unreadable(version)}"""
    owners = _column(connection, f"select distinct o.rolname {whole} and not {_become(version)}")
    found = [how_to_become(connection, owners)] if owners else []
    for right, grant in _OTHERS:
        found += _column(connection, f"select distinct {grant} {whole} and not {right} order by 1")
    return " ".join(found)


def _column(connection: Connection, query: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(sql.SQL(query)).fetchall()]


def _become(version: int) -> str:
    return f"pg_has_role(o.oid, '{'SET' if version >= 160000 else 'MEMBER'}')"
