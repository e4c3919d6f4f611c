"""Whose the schema `rotator` of a database is: the one place that decides, before anything in it is read or written.

Its name and its comment prove nothing: whoever may make a schema can make this one, with a view or a trigger in it that
runs as whoever comes by. What cannot be imitated is the owner. A user can neither make an object for another role that
he is not a member of, nor give one away to it (PostgreSQL, "CREATE SCHEMA", "ALTER TABLE"). So schema, tables,
functions and event triggers must be the session's user's own; and of the kinds that the tool makes, as a predecessor's
things can have been handed over as they were (REASSIGN OWNED).

Look and use do not race: who does not own the schema can neither drop nor rename it, and nobody else may make things in
it, as all rights of others are taken away where it is made, those of ALTER DEFAULT PRIVILEGES too.
"""

from __future__ import annotations

from psycopg import errors, sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import SCHEMA, SCHEMA_COMMENT
from rotator.database.postgres.reading.ownership_sql import GRANTED, STRANGE, THERE
from rotator.domain.errors import DatabaseError


def strange(connection: Connection) -> tuple[str, ...]:
    """What keeps the schema `rotator` of this database from being the tool's own, in words; empty too where there is
    none. Reads catalogs alone.
    """
    return tuple(str(row[0]) for row in connection.execute(STRANGE).fetchall())


def is_ours(connection: Connection) -> bool:
    """Whether the tool's own schema is there; False without one. Raises DatabaseError 'foreign-schema'."""
    if found := strange(connection):
        raise foreign(connection.info.dbname, found)
    return connection.execute(THERE).rowcount > 0


def own_schema(connection: Connection) -> None:
    """Make the schema unless it is there, and keep others out of it. Raises DatabaseError 'foreign-schema'."""
    if not is_ours(connection):
        try:
            connection.execute(_create())
        except errors.DuplicateSchema:
            raise foreign(connection.info.dbname, ("it was made by somebody else at this very moment",)) from None
    keep_private(connection)


def keep_private(connection: Connection) -> None:
    """Take away what others may do with the schema and what is in it. Says nothing where there is nothing to take.

    A fence of an earlier version refuses that too. There it refuses all DDL: nobody can use such a right for an object.
    """
    for kind, name, grantee in connection.execute(GRANTED).fetchall():
        thing = sql.Identifier(SCHEMA) if kind == "schema" else sql.Identifier(SCHEMA, str(name))
        call = sql.SQL("()") if kind == "function" else sql.SQL("")
        who = sql.Identifier(str(grantee)) if grantee is not None else sql.SQL("public")
        revoke = sql.SQL("revoke all on {} {}{} from {} cascade").format(sql.SQL(str(kind)), thing, call, who)
        try:
            with connection.transaction():
                connection.execute(revoke)
        except errors.ReadOnlySqlTransaction:
            return


def drop_schema(connection: Connection) -> None:
    """Remove the schema and all in it, if it is the tool's; a stranger's stays."""
    if not strange(connection) and is_ours(connection):
        connection.execute(f"drop schema {SCHEMA} cascade")


def foreign(database: str, found: tuple[str, ...]) -> DatabaseError:
    """The refusal: whose it is, and what to do."""
    return DatabaseError(
        f"database {database} has a schema {SCHEMA!r} that is not this tool's own; nothing in it was used",
        why="the tool keeps its marker and the fence's functions there; what others made would run with its rights",
        fix=f"look at it (psql: \\dn+ {SCHEMA}, \\d+ {SCHEMA}.*, \\df+ {SCHEMA}.*). If an application's, rename it:"
        f" ALTER SCHEMA {SCHEMA} RENAME TO ...; If an earlier user of this tool left it and no rotation is under way,"
        f" remove it: DROP SCHEMA {SCHEMA} CASCADE; Both as its owner. Then run the command again",
        details=found,
        code="foreign-schema",
    )


def _create() -> sql.Composed:
    return sql.SQL("create schema {0}; comment on schema {0} is {1}").format(
        sql.Identifier(SCHEMA), sql.Literal(SCHEMA_COMMENT)
    )
