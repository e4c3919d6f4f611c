"""What a subscription asks of TLS: its connection carries every row, and the password of the rotation's own login.

It is the subscriber's server that connects, so that the certificates are a file on *its* disk. PostgreSQL's ssl_ca_file
names one (on RDS /rdsdbdata/rds-metadata/ca-cert.pem): docs/adr/0035-the-link-is-verified-by-the-servers-own-file.md.

Sources: PostgreSQL manual, "SSL Support" (protection provided in different modes), "CREATE SUBSCRIPTION".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.encryption import VERIFIED, authority_file
from rotator.domain.errors import DatabaseError

CONNECTION = "08"
"""The class of SQLSTATEs of a server that could not connect to another one (PostgreSQL, "PostgreSQL Error Codes")."""
_REFUSALS = {
    "root certificate file": "the receiving server cannot read its file of certificates (ssl_ca_file)",
    "does not match host name": "the certificate is another instance's",
    "certificate verify failed": "the certificate is signed by none of the receiving server's authorities",
    "does not support ssl": "what answers there speaks no TLS",
    "ssl error": "TLS could not be agreed on",
}
"""Part of libpq's own message -> words; what the other side says is not quoted, as it may be anybody."""


def asked(subscriber: Connection, source: Target) -> Mapping[str, str]:
    """Libpq's settings for the connection to `source`. Never one that gives way to whoever is in between."""
    mode = source.link_sslmode or source.sslmode
    file = authority_file(subscriber)
    if mode in VERIFIED and file:
        return {"sslmode": mode, "sslrootcert": file}
    # A weaker mode of the tool's own sessions is no reason for a weak link: RDS always speaks TLS.
    return {"sslmode": "require" if _speaks_tls(source) else "disable"}


@contextmanager
def verifying() -> Iterator[None]:
    """A server that cannot be verified leaves as DatabaseError `link-tls`: it may be somebody else."""
    try:
        yield
    except psycopg.Error as error:
        said = (error.diag.message_primary or "").lower()
        why = next((words for part, words in _REFUSALS.items() if part in said), None)
        if why is None or not (error.sqlstate or "").startswith(CONNECTION):
            raise
        raise DatabaseError(
            "the receiving server could not verify the sending one",
            why=why,
            fix="look at who answers at that name and address from inside the VPC. Where the receiving server's "
            'certificates do not cover the other\'s: [database] link_sslmode = "require" (encrypted, not verified)',
            code="link-tls",
        ) from error


def _speaks_tls(source: Target) -> bool:
    if source.sslmode not in ("disable", "allow", "prefer"):
        return True
    with session(source, doing="ask whether it speaks TLS") as connection:
        return connection.execute("select from pg_settings where name = 'ssl' and setting = 'on'").rowcount > 0
