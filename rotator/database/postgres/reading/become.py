"""What has to be typed, and by whom, so that the tool's user has the rights of other roles.

Sources: PostgreSQL manual, "GRANT" (grants of roles: ADMIN OPTION, SET, INHERIT), "Role Attributes" (from 16 on
CREATEROLE gives no rights over roles that others have made); Amazon RDS User Guide (rdsadmin is AWS's own superuser).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from rotator.database.postgres.connection import Connection

OWN_ROLES_ONLY = 160000
"""From this version on a role is granted by those alone who have it WITH ADMIN OPTION."""

_GRANTORS = """
select o.rolname, o.rolsuper,
       (select rolsuper from pg_roles where rolname = current_user)
         or not o.rolsuper and (pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION')
           or {any_role} and (select rolcreaterole from pg_roles where rolname = current_user)),
       array(select a.rolname from pg_auth_members m join pg_roles a on a.oid = m.member
              where m.roleid = o.oid and m.admin_option and not a.rolsuper order by 1)::text[]
  from pg_roles o where o.rolname = any (%s) order by o.rolname
"""


def how_to_become(connection: Connection, owners: Sequence[str]) -> str:
    """For each role (names as they are): the GRANT, if this user may give it to itself; else by whom."""
    recent = connection.info.server_version >= OWN_ROLES_ONLY
    query = sql.SQL(_GRANTORS).format(any_role=sql.SQL("false" if recent else "true"))
    rows = connection.execute(query, [list(owners)]).fetchall()
    return " ".join(_words(connection, rows, recent=recent))


def _words(connection: Connection, rows: Sequence[tuple[object, ...]], *, recent: bool) -> Iterator[str]:
    user = sql.Identifier(connection.info.user)
    options = sql.SQL(" WITH SET TRUE, INHERIT TRUE" if recent else "")
    for owner, is_super, may, grantors in rows:
        name = sql.Identifier(str(owner))
        grant = sql.SQL("GRANT {} TO {}{};").format(name, user, options).as_string(connection)
        if may:
            yield grant
        elif is_super:
            yield (
                f"Nobody may grant {name.as_string(connection)}, which is a superuser (on RDS AWS's own):"
                " give what it owns to another owner, or drop it."
                " (On RDS, for what an extension made: ALTER TABLE ... OWNER TO rds_superuser;)"
            )
        else:
            yield f"{_by(connection, grantors)}: {grant}"


def _by(connection: Connection, grantors: object) -> str:
    names = [sql.Identifier(str(each)).as_string(connection) for each in grantors] if isinstance(grantors, list) else []
    return f"As {' or '.join(names)}" if names else "As a superuser (no other role has ADMIN OPTION on it)"
