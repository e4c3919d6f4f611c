"""The rotation's own login: it replicates and can do nothing else, for as long as the rotation lasts.

Its password is known to nobody but the subscriptions. Servers get its SCRAM form, from which it cannot be had back.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from psycopg import errors, sql

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import each_database
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.replication.names import Names
from rotator.domain.errors import DatabaseError

VALID_DAYS = 60
"""After so long without a run of the tool, nobody connects with it any more. Connections that stand are not ended."""
RENEW_DAYS = 50

_NOTICING = {
    "wal_sender_timeout": "60s",
    "tcp_keepalives_idle": "30s",
    "tcp_keepalives_interval": "10s",
    "tcp_keepalives_count": "3",
}
"""So that the sending side, too, notices a connection that was cut without a word, and lets go of the slot."""


def make(connection: Connection, names: Names, databases: Sequence[str]) -> None:
    """Make it, unless it is there. Its password is unknown to everybody until `new_password`.

    A connection for each database, one more each while the end of its last one has not been noticed, and one to look.
    """
    role = sql.Identifier(names.role)
    if not _there(connection, names):
        password = _password(connection, names, secrets.token_hex(32))
        try:
            connection.execute(sql.SQL("create role {} login replication {}").format(role, password))
        except errors.InsufficientPrivilege:
            # On RDS the attribute is nobody's to give; membership in rds_replication stands for it.
            connection.execute(sql.SQL("create role {} login {}").format(role, password))
            connection.execute(sql.SQL("grant rds_replication to {}").format(role))
        for name, value in _NOTICING.items():  # before the snapshot: validation compares the settings of roles
            connection.execute(
                sql.SQL("alter role {} set {} = {}").format(role, sql.Identifier(name), sql.Literal(value))
            )
    limit = sql.Literal(2 * len(databases) + 1)
    connection.execute(sql.SQL("alter role {} connection limit {}").format(role, limit))
    for name in databases:
        may = connection.execute("select has_database_privilege(%s, %s, 'CONNECT')", [names.role, name]).fetchone()
        if not may or not may[0]:
            connection.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(name), role))


def new_password(target: Target, names: Names) -> str:
    """Give it a new password, of 64 hexadecimal digits, and the time from now on."""
    password = secrets.token_hex(32)
    with session(target, doing="set the rotation's password") as connection:
        connection.execute(
            sql.SQL("alter role {} {}").format(sql.Identifier(names.role), _password(connection, names, password))
        )
    return password


def renew(target: Target, names: Names) -> None:
    """Let it be valid from now on for as long as at first; the password stays."""
    query = f"select 1 from pg_roles where rolname = %s and rolvaliduntil < now() + interval '{RENEW_DAYS} days'"  # noqa: S608
    with session(target, doing="renew the rotation's login") as connection:
        if connection.execute(query, [names.role]).fetchone():
            role = sql.Identifier(names.role)
            connection.execute(sql.SQL("alter role {} valid until {}").format(role, _until(connection)))


def drop(target: Target, names: Names) -> None:
    """Remove it, with the rights that it was given: by us on databases, by whom ever on what is theirs.

    Raises DatabaseError 'login-kept' where it owns something, which only a superuser can have given to it.
    """
    with session(target, doing="remove the rotation's login") as connection:
        if not _there(connection, names):
            return
        if connection.execute(_OWNS, [names.role]).rowcount:
            raise _kept(connection, names)
        role = sql.Identifier(names.role)
        rows = connection.execute(_GRANTED, [names.role]).fetchall()
        for (database,) in rows:
            connection.execute(sql.SQL("revoke all on database {} from {}").format(sql.Identifier(str(database)), role))
        if not connection.execute(_NAMED, [names.role]).rowcount:
            connection.execute(sql.SQL("drop role {}").format(role))
            return
        connection.execute(_become(connection.info.server_version, role))
    each_database(
        target,
        "take away what others granted to the rotation's login",
        lambda _, each: each.execute(sql.SQL("drop owned by {}").format(role)),
    )
    with session(target, doing="remove the rotation's login") as connection:
        connection.execute(sql.SQL("drop role {}").format(role))


_OWNS = """
select from pg_shdepend d join pg_roles r on r.oid = d.refobjid
 where d.refclassid = 'pg_authid'::regclass and r.rolname = %s and d.deptype = 'o'
"""
_NAMED = """
select from pg_shdepend d join pg_roles r on r.oid = d.refobjid
 where d.refclassid = 'pg_authid'::regclass and r.rolname = %s
"""
_GRANTED = """
select d.datname from pg_database d, aclexplode(d.datacl) a join pg_roles r on r.oid = a.grantee where r.rolname = %s
"""


def _become(version: int, role: sql.Identifier) -> sql.Composed:
    """What DROP OWNED asks for (PostgreSQL, "DROP OWNED"). Who made a role may grant it."""
    options = sql.SQL(" with inherit true, set true" if version >= 160000 else "")
    return sql.SQL("grant {} to current_user{}").format(role, options)


def _kept(connection: Connection, names: Names) -> DatabaseError:
    role = sql.Identifier(names.role).as_string(connection)
    return DatabaseError(
        f"the rotation's login {names.role} owns something, and stays",
        why="the tool gives it nothing: somebody else has, and it may be of use to them",
        fix=f"REASSIGN OWNED BY {role} TO ...; or DROP OWNED BY {role}; in each database, then run the same command"
        " again",
        code="login-kept",
    )


def _there(connection: Connection, names: Names) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [names.role]).rowcount > 0


def _password(connection: Connection, names: Names, password: str) -> sql.Composable:
    encrypted = connection.pgconn.encrypt_password(password.encode(), names.role.encode(), b"scram-sha-256")
    return sql.SQL("password {} valid until {}").format(sql.Literal(encrypted.decode()), _until(connection))


def _until(connection: Connection) -> sql.Literal:
    """By the server's own clock, which is the one that counts."""
    row = connection.execute(f"select (now() + interval '{VALID_DAYS} days')::text").fetchone()
    return sql.Literal(str(row[0]) if row else "")
