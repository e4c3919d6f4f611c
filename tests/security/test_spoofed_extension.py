"""A user with CREATE makes a schema and functions that are called as an extension's.

What he gains: the tool asks `rds_tools.logical_seed_lsn()` as the master, and believes what it says of the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pg_fixture import PgServer, bindir, running_server

from rotator.database.postgres.catalog.extensions import function_of, has_table
from rotator.database.postgres.catalog.objects import databases
from rotator.database.postgres.connection import session
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.subscribe import evidence

pytestmark = pytest.mark.postgres

SPOOF = (
    "create schema rds_tools",
    "create function rds_tools.logical_seed_lsn() returns pg_lsn language plpgsql as $$"
    " begin execute 'alter role mallory superuser'; return 'FF/0'::pg_lsn; end $$",
)


@pytest.fixture
def mallory(pg: PgServer) -> Iterator[str]:
    pg.run("postgres", f"create role mallory login password '{pg.password}'")
    yield "mallory"
    pg.run("postgres", "drop owned by mallory cascade", "drop role mallory")


def as_user(pg: PgServer, name: str, user: str, *statements: str) -> None:
    with pg.connect(name, user=user, autocommit=True) as his:
        for statement in statements:
            his.execute(statement)  # type: ignore[call-overload]


def test_a_function_counts_only_as_the_extensions_own(pg: PgServer, mallory: str) -> None:
    """Beside an extension of the server's: its members are found, a namesake in its schema is not."""
    with pg.database("create schema tools", "create extension pg_trgm schema tools") as name:
        pg.run(
            name,
            "grant create, usage on schema tools to mallory",
            "create schema cron",
            "create table cron.job (i int)",
        )
        his = "create function tools.logical_seed_lsn() returns text language sql as 'select 1::text'"
        as_user(pg, name, mallory, his)
        with session(pg.target(name), doing="look") as connection:
            assert function_of(connection, "pg_trgm", "logical_seed_lsn") is None
            found = function_of(connection, "pg_trgm", "show_limit")
            assert found is not None
            assert found.as_string(connection) == '"tools"."show_limit"'
            assert not has_table(connection, "pg_trgm", "cron", "job")
            pg.run(name, "alter extension pg_trgm add table cron.job")
            assert has_table(connection, "pg_trgm", "cron", "job")


def test_an_extension_of_a_users_own_is_not_believed(pg: PgServer, mallory: str) -> None:
    """A trusted extension belongs to whoever made it: he may add any function of his to it."""
    with pg.database() as name:
        if not pg.rows(name, "select from pg_available_extensions where name = 'pg_trgm'"):
            pytest.skip("these PostgreSQL programs come without pg_trgm")
        pg.run(name, f"grant create on database {name} to mallory", "grant create on schema public to mallory")
        his = "create function public.logical_seed_lsn() returns text language sql as 'select 1::text'"
        as_user(pg, name, mallory, "create extension pg_trgm", his)
        as_user(pg, name, mallory, "alter extension pg_trgm add function public.logical_seed_lsn()")
        with session(pg.target(name), doing="look") as connection:
            assert function_of(connection, "pg_trgm", "logical_seed_lsn") is None
            pg.run(name, "alter function public.logical_seed_lsn() owner to postgres")
            assert function_of(connection, "pg_trgm", "logical_seed_lsn") is None, "the extension is still his"


def test_a_database_called_rdsadmin_is_fenced_as_any_other(pg: PgServer, mallory: str) -> None:
    """On RDS the service's superuser owns it. Elsewhere whoever may make databases would keep one out of the fence."""
    pg.run("postgres", "create database rdsadmin owner mallory")
    try:
        assert "rdsadmin" in databases(pg.target())
    finally:
        pg.run("postgres", "drop database rdsadmin")


def test_rds_tools_of_a_user_is_not_called(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With an extension of that name on the server, in an older version that has not the function yet."""
    folder = bindir()
    if folder is None or not (folder.parent / "share" / "extension").is_dir() or not _is_18(folder):
        pytest.skip("extension_control_path is of PostgreSQL 18")
    control = Path("/tmp") / tmp_path_factory.mktemp("control").name
    (control / "extension").mkdir(parents=True)
    control.chmod(0o755)
    (control / "extension" / "rds_tools.control").write_text("default_version = '1'\nschema = rds_tools")
    (control / "extension" / "rds_tools--1.sql").write_text("create function rds_tools.other() returns int return 1;")
    with running_server(extension_control_path=f"{control}:$system") as pg, pg.database() as name:
        pg.run("postgres", f"create role mallory login password '{pg.password}'")
        pg.run(name, f"grant create on database {name} to mallory")
        as_user(pg, name, "mallory", *SPOOF)
        found = evidence(pg.target(name), Names("r1"))
        assert pg.rows("postgres", "select rolsuper from pg_roles where rolname = 'mallory'") == [(False,)]
        assert found.tools is None


def _is_18(folder: Path) -> bool:
    return b"extension_control_path" in (folder / "postgres").read_bytes()
