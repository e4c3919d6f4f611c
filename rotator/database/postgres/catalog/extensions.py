"""What belongs to an extension: a function or a table counts by that, never by its name.

Whoever may make a schema can make one that is called as the extension's, with functions that are called as its own;
CREATE EXTENSION takes a schema that is there. Membership is given by the extension's owner alone (PostgreSQL, "ALTER
EXTENSION", catalog pg_depend, type 'e'), and a trusted extension may be anybody's: so its owner must be a superuser, as
RDS's own rdsadmin is, or the session's user.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.connection import Connection

_BELIEVED = "(select u.oid from pg_roles u where u.rolsuper or u.rolname = current_user)"
_MEMBER = f"""
  from pg_extension e
  join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
  join {{catalog}} m on d.classid = '{{catalog}}'::regclass and d.objid = m.oid
 where e.extname = %s and e.extowner in {_BELIEVED} and m.{{owner}} in {_BELIEVED}
"""
_FUNCTION = (
    "select n.nspname, m.proname"
    + _MEMBER.format(catalog="pg_proc", owner="proowner").replace(
        " where", "  join pg_namespace n on n.oid = m.pronamespace\n where"
    )
    + "   and m.proname = %s and m.pronargs = 0 and m.prokind = 'f'"
)
_TABLE = (
    "select"
    + _MEMBER.format(catalog="pg_class", owner="relowner")
    + "   and m.relname = %s and m.relnamespace = (select n.oid from pg_namespace n where n.nspname = %s)"
)


def function_of(connection: Connection, extension: str, name: str) -> sql.Identifier | None:
    """The extension's function of that name that takes no arguments, with its schema; None without one."""
    row = connection.execute(_FUNCTION, [extension, name]).fetchone()
    return sql.Identifier(str(row[0]), str(row[1])) if row else None


def has_table(connection: Connection, extension: str, schema: str, table: str) -> bool:
    """Whether that table is there and the extension's. Asks for no right on the schema."""
    return connection.execute(_TABLE, [extension, table, schema]).rowcount > 0
