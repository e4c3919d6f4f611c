"""How sessions are protected on their way: by the server's own account of it, and what was verified of it.

Sources: PostgreSQL manual, "The Cumulative Statistics System" (pg_stat_ssl), "Database Connection Control Functions"
(sslmode); Amazon RDS User Guide, "Using SSL with a PostgreSQL DB instance".
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.protection import Encryption
from rotator.domain.database import Finding

VERIFIED = {"verify-full": "authority and name verified", "verify-ca": "authority verified"}
"""sslmode -> what libpq has checked of the server's certificate."""

_RISKS = {
    "disable": "Password proofs and rows travel in clear.",
    "allow": "Whoever is in between chooses to have it in clear, and libpq asks for that first.",
    "prefer": "Whoever is in between can have it in clear, and libpq does not say so.",
    "require": "Whoever is in between can be the server: no certificate is checked.",
    "verify-ca": "Whoever has any RDS instance can be this one: the name in the certificate is not checked.",
}
"""Weaker sslmode -> what it risks."""


def encryption(target: Target) -> Encryption:
    """Of a session like the tool's own."""
    with session(target, doing="look at the session's encryption") as connection:
        return _own(connection, target)


def of_senders(connection: Connection, pattern: str, verified: str) -> tuple[Encryption, ...]:
    """Of the connections over which a source sends to the subscriptions whose names match `pattern` (a regex)."""
    rows = connection.execute(
        "select s.version, s.cipher from pg_stat_replication r left join pg_stat_ssl s using (pid)"
        " where r.application_name ~ %s",
        [pattern],
    ).fetchall()
    return tuple(Encryption(version, cipher, verified if version else "") for version, cipher in rows)


def encryption_findings(target: Target, connection: Connection) -> Iterator[Finding]:
    """Warnings of what is weaker than it could be; none for verify-full at a server that forces TLS."""
    risk = _RISKS.get(target.sslmode)
    if risk is not None:
        yield Finding(
            "weak-tls",
            f"[database] sslmode is {target.sslmode}; this session is {_own(connection, target)}.",
            risk,
            'Remove sslmode from rotation.toml: the default is "verify-full".',
            blocks=False,
        )
    forced = connection.execute("select current_setting('rds.force_ssl', true)").fetchone()
    if forced and forced[0] in ("0", "off"):
        yield Finding(
            "tls-not-forced",
            "rds.force_ssl is 0: the server takes sessions in clear.",
            "Clients that do not ask for TLS send password proofs and rows in clear, to green too.",
            "Set rds.force_ssl = 1 in the parameter group when all clients speak TLS.",
            blocks=False,
        )
    if target.sslmode in VERIFIED and not authority_file(connection):
        yield Finding(
            "link-not-verified",
            "The server names no file of certificates (ssl_ca_file).",
            "A subscription on it has nothing to verify the other side with: replication is encrypted, and no more.",
            "On RDS the file is always there; elsewhere set ssl_ca_file.",
            blocks=False,
        )


def authority_file(connection: Connection) -> str:
    """The server's own file of certificates, on its own disk; empty when it has none."""
    row = connection.execute("select current_setting('ssl_ca_file')").fetchone()
    return str(row[0]) if row else ""


def _own(connection: Connection, target: Target) -> Encryption:
    row = connection.execute("select version, cipher from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
    version, cipher = row or (None, None)
    return Encryption(version, cipher, VERIFIED.get(target.sslmode, "") if version else "")
