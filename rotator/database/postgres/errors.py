"""libpq's and the server's errors -> DatabaseError and DatabaseUnreachable with what, why and fix; never a password."""

from __future__ import annotations

from urllib.parse import quote

import psycopg

from rotator.database.interface import Target
from rotator.domain.errors import DatabaseError, DatabaseUnreachable

_CONNECT = (
    ("no password supplied", "database-password", "give the password: database.credentials, PGPASSWORD or PGPASSFILE"),
    ("password authentication failed", "database-password", "check database.username and the credentials' password"),
    ("pam authentication failed", "database-password", "check database.username and the credentials' password"),
    ("does not exist", "database-missing", "check database.name and database.username in rotation.toml"),
    ("pg_hba.conf", "database-refused", "the server demands another user, address or TLS mode: check database.sslmode"),
    ("certificate", "database-tls", "give RDS's CA bundle in database.sslrootcert, or a weaker database.sslmode"),
    ("ssl", "database-tls", "check database.sslmode and database.sslrootcert"),
    ("connection refused", "database-refused", "is the instance available, and is the port right?"),
    ("timeout", "database-timeout", "check the security group, the route and the port from where this runs"),
    ("timed out", "database-timeout", "check the security group, the route and the port from where this runs"),
    ("resolve", "database-name", "check the host's name and dns.resolver"),
    ("connection slots", "database-full", "raise max_connections or end idle clients, then run the command again"),
    ("too many", "database-full", "raise the connection limit or end idle clients, then run the command again"),
    ("starting up", "database-starting", "wait until the instance is available, then run the command again"),
    ("shutting down", "database-starting", "wait until the instance is available, then run the command again"),
)
"""(part of libpq's message in lower case, code, fix), first match wins: libpq gives no SQLSTATE for these."""

_STATEMENT = {
    "42501": "give the tool's user the privilege (preflight names it), then run the command again",
    "53200": "raise max_locks_per_transaction in the parameter group (a reboot), then run the command again",
    "22021": "a name or a value is not valid in the database's encoding: find it and correct it",
    "22P05": "a name or a value has no equivalent in UTF8: find it and correct it",
    "25006": "the server is read-only or fenced: check that it is the one you mean",
}
"""SQLSTATE -> fix (PostgreSQL, Appendix A "PostgreSQL Error Codes")."""

_QUOTES_NO_VALUE = frozenset(
    {"08", "0A", "23", "25", "28", "2B", "2D", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72"}
)
"""Classes of SQLSTATE whose primary messages name objects, settings and limits."""
_QUOTES_TEXT = frozenset({"42601", "42602", "42622", "42P02"})
"""Of them: syntax errors quote the statement, and with it its values."""
_LANGUAGES = ("pl_exec", "pl_", "plperl", "plpy", "pltcl")
"""Source files of procedural languages."""


def place(target: Target, database: str | None = None) -> str:
    """'database NAME at HOST:PORT', for people."""
    return f"database {database if database is not None else target.database!s} at {target.host}:{target.port}"


def clean(text: str, target: Target) -> str:
    """One line of text without the password, should a message ever quote it."""
    for form in _forms(target.password) if target.password else ():
        text = text.replace(form, "***")
    return " ".join(text.split())


def _forms(password: str) -> tuple[str, ...]:
    """A password as it is, and as a connection string, a URL or SQL spells it."""
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    return tuple(dict.fromkeys((password, escaped, quote(password, safe=""), password.replace("'", "''"))))


def told(error: psycopg.Error) -> str:
    """The server's primary message where it can quote no value of a row; else what kind of error it was.

    PostgreSQL, "Error Message Style Guide": a primary message names objects. Those of bad data (class 22) quote it, and
    what user code raises (PL/pgSQL's RAISE, any function's context) can be anything.
    """
    state, diag = error.sqlstate, error.diag
    if state is None:
        return str(error)
    by_user = bool(diag.context) or (diag.source_file or "").startswith(_LANGUAGES)
    if diag.message_primary and not by_user and state[:2] in _QUOTES_NO_VALUE and state not in _QUOTES_TEXT:
        return f"{diag.message_primary} (SQLSTATE {state})"
    return f"{type(error).__name__} (SQLSTATE {state}); its text can quote a value, so it is in the server's log alone"


def unreachable(target: Target, database: str | None, error: psycopg.Error) -> DatabaseUnreachable:
    """The error of a connection that could not be had."""
    why = clean(str(error), target)
    lower = why.lower()
    code, fix = next(
        ((code, fix) for part, code, fix in _CONNECT if part in lower),
        ("database-unreachable", "check host, port and network from where this runs"),
    )
    return DatabaseUnreachable(
        f"cannot connect to {place(target, database)} as {target.user}", why=why, fix=fix, code=code
    )


def statement_error(
    target: Target, connection: psycopg.Connection[tuple[object, ...]], doing: str, error: psycopg.Error
) -> DatabaseError:
    """The error of a statement: what it was, as far as that can quote no row (`told`)."""
    where = place(target, connection.info.dbname or target.database)
    if connection.broken:
        return DatabaseUnreachable(
            f"lost the connection while trying to {doing} ({where})",
            why=clean(told(error), target),
            fix="check that the server is up, then run the command again",
        )
    why = clean(told(error), target)
    fix = _STATEMENT.get(error.sqlstate or "", "see the server's log at this time")
    return DatabaseError(f"could not {doing} ({where})", why=why, fix=fix)


def encoding_error(target: Target, connection: psycopg.Connection[tuple[object, ...]], doing: str) -> DatabaseError:
    """Text that is not text in its database's encoding; without a word of it."""
    where = place(target, connection.info.dbname or target.database)
    return DatabaseError(
        f"could not {doing} ({where})",
        why="a name or a value is not valid in the database's encoding",
        fix="find it and correct it",
        code="database-encoding",
    )
