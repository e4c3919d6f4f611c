"""Preflight of strategy replicate, one database: whose code the apply workers would run, and as whom."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from rotator.database.postgres.catalog.applied_code import AS_TABLE_OWNER, Applied, applied, unreachable_owners
from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import listed, user
from rotator.database.postgres.reading.become import how_to_become
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified

_BARRED = f"""
select n.nspname, c.relname, c.relowner::regrole::text,
       c.relforcerowsecurity and c.relrowsecurity and not (o.rolsuper or o.rolbypassrls)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles o on o.oid = c.relowner
 where c.relkind = 'r' and c.relpersistence = 'p' and {USER_SCHEMA}
   and (c.relforcerowsecurity and c.relrowsecurity and not (o.rolsuper or o.rolbypassrls)
        or not (has_table_privilege(c.relowner, c.oid, 'SELECT') and has_table_privilege(c.relowner, c.oid, 'INSERT')
            and has_table_privilege(c.relowner, c.oid, 'UPDATE') and has_table_privilege(c.relowner, c.oid, 'DELETE')
            and has_table_privilege(c.relowner, c.oid, 'TRUNCATE')))
 order by 1, 2
"""


def code_findings(database: str, connection: Connection) -> Iterator[Finding]:
    """Functions of others, owners whom the worker cannot become, and owners who may not change their own tables."""
    version = connection.info.server_version
    found = applied(connection, version)
    if mistrusted := [each for each in found if each.mistrusted]:
        yield foreign_code(database, version, mistrusted)
    if owners := unreachable_owners(connection):
        yield cannot_become(database, connection, owners)
    if version >= AS_TABLE_OWNER:
        yield from _barred_owners(database, connection, [each for each in found if each.barred])


def foreign_code(database: str, version: int, found: Sequence[Applied]) -> Finding:
    """Functions that run with the rights of somebody who does not own them. `version` as the server's number."""
    recent = version >= AS_TABLE_OWNER
    why = (
        "green applies each change with the rights of the table's owner (of the tool's user, where an index of a table"
        " without a key is looked at)"
        if recent
        else "before PostgreSQL 16 green applies every change with the rights of the tool's user"
    )
    return Finding(
        "apply-code",
        f"database {database}: functions that are not of whom they would run as: {listed(map(str, found))}",
        f"{why}: their owners could do through them what they may not do by themselves",
        "read them, and give each to whom it would run as: ALTER FUNCTION ... OWNER TO ...; (not one that is SECURITY"
        " DEFINER, which would then have that role's rights for everybody: take it out of the table); or take strategy"
        " snapshot" + ("" if recent else "; or upgrade the engine to 16 or later first"),
        blocks=True,
    )


def cannot_become(database: str, connection: Connection, owners: Sequence[str]) -> Finding:
    """Owners of tables (names as they are) whom the tool's user may not SET ROLE to."""
    return Finding(
        "apply-role",
        f"database {database}: {user(connection)} may not SET ROLE to owners of tables: {listed(owners)}",
        "green applies each change as the owner of its table, so that nobody's code runs with the tool's own rights",
        how_to_become(connection, owners),
        blocks=True,
    )


def _barred_owners(database: str, connection: Connection, barred: Sequence[Applied]) -> Iterator[Finding]:
    rows = connection.execute(sql.SQL(_BARRED)).fetchall()
    words = [
        f"{qualified(schema, name)} ({'its policies apply to' if forced else 'rights were taken from'} {owner})"
        for schema, name, owner, forced in rows
    ]
    words += [f"{each.table} ({each.runner} may not execute {each.function})" for each in barred]
    if words:
        yield Finding(
            "apply-rights",
            f"database {database}: owners who may not change their own tables: {listed(words)}",
            "green applies each change as the owner of its table: the first change would stop the catching up",
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ... TO its owner; GRANT EXECUTE ON FUNCTION ... TO ...;"
            " ALTER TABLE ... NO FORCE ROW LEVEL SECURITY; for the time of the rotation",
            blocks=True,
        )
