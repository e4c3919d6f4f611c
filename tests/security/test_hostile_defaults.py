"""The owner of a database chooses what sessions in it begin with (ALTER DATABASE ... SET).

What he gains where a session of the tool keeps that: names without a schema find his own functions and operators,
which then run as the master; what the tool makes belongs to a role of his; passwords get a weak hash.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from pg_fixture import PgServer

import rotator
from rotator.database.postgres import connection as connections
from rotator.database.postgres.preflight.replicate import replicate_findings
from rotator.database.postgres.server import PostgresServer

pytestmark = pytest.mark.postgres

RISE = """
create function evil.rise() returns boolean language plpgsql as $$
begin
  execute 'alter role mallory superuser';
  return true;
exception when others then
  return true;
end $$
"""
TRAPS = (
    RISE,
    "create function evil.to_regclass(text) returns regclass language sql"
    " as $$select case when evil.rise() then pg_catalog.to_regclass($1) end$$",
    "create function evil.set_config(text, text, boolean) returns text language sql"
    " as $$select case when evil.rise() then $2 end$$",
    "create function evil.has_parameter_privilege(text, text) returns boolean language sql as $$select evil.rise()$$",
    "create function evil.now() returns timestamptz language sql"
    " as $$select case when evil.rise() then pg_catalog.now() end$$",
    "create function evil.same(text, text) returns boolean language sql"
    " as $$select evil.rise() and $1 operator(pg_catalog.=) $2$$",
    "create operator evil.= (leftarg = text, rightarg = text, function = evil.same)",
    "create function evil.same(name, text) returns boolean language sql"
    " as $$select evil.rise() and $1 operator(pg_catalog.=) $2$$",
    "create operator evil.= (leftarg = name, rightarg = text, function = evil.same)",
    "create table evil.pg_class (oid oid, relname name)",
)
PATH = 'evil, "$user", pg_catalog, public'
WANTED = {
    "search_path": "pg_catalog, pg_temp",
    "role": "none",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "session_replication_role": "replica",
    "TimeZone": "UTC",
    "application_name": "rotator",
}
HOSTILE = {
    "search_path": PATH,
    "standard_conforming_strings": "off",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "row_security": "on",
    "statement_timeout": "1min",
    "lock_timeout": "1min",
    "idle_in_transaction_session_timeout": "1min",
    "default_transaction_isolation": "serializable",
    "timezone": "Asia/Tokyo",
    "role": "mallory",
}


@pytest.fixture
def hostile(pg: PgServer) -> Iterator[str]:
    """Mallory's database, with his traps in it, and the tool's marker."""
    pg.run("postgres", f"create role mallory login password '{pg.password}'")
    with pg.database("create table public.orders (id int primary key)", "create schema evil") as name:
        pg.run(name, "grant all on schema evil to public", f"alter database {name} owner to mallory")
        PostgresServer(pg.target(name)).mark("green")
        with pg.connect(name, user="mallory", autocommit=True) as his:
            for trap in TRAPS:
                his.execute(trap)  # type: ignore[call-overload]
            for setting, value in HOSTILE.items():
                his.execute(
                    f"alter database {name} set {setting} = {value if setting == 'search_path' else repr(value)}"
                )  # type: ignore[call-overload]
        yield name
    pg.run("postgres", "drop role mallory")


def has_risen(pg: PgServer) -> bool:
    return bool(pg.rows("postgres", "select rolsuper from pg_roles where rolname = 'mallory'")[0][0])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the tool says on each connection that it opens, in order."""
    said: list[list[str]] = []

    class Listening(psycopg.Connection[Any]):
        def execute(self, query: Any, *args: Any, **more: Any) -> Any:
            text = query if isinstance(query, str) else query.as_string(self)
            if "said" not in self.__dict__:
                self.said: list[str] = []
                said.append(self.said)
            self.said.append(text)
            return super().execute(query, *args, **more)

    driver = SimpleNamespace(connect=Listening.connect, Error=psycopg.Error)
    monkeypatch.setattr(connections, "psycopg", driver)
    return said


VERBS: dict[str, Callable[[PostgresServer], object]] = {
    "ping": PostgresServer.ping,
    "encryption": PostgresServer.encryption,
    "probe": lambda server: server.probe("token"),
    "has_probe": lambda server: server.has_probe("token"),
    "fence_state": PostgresServer.fence_state,
    "preflight": PostgresServer.preflight,
    "preflight_replicate": lambda server: server.preflight_replicate("r1", strengthen=True),
    "schema": PostgresServer.schema,
    "tables": PostgresServer.tables,
    "counters": PostgresServer.counters,
    "extensions": PostgresServer.extensions,
    "write_stats": PostgresServer.write_stats,
    "mark": lambda server: server.mark("green"),
    "fence": lambda server: server.fence("r1", 10),
    "unfence": PostgresServer.unfence,
    "forget": PostgresServer.forget,
}


def test_no_verb_of_the_tool_runs_what_the_databases_owner_planted(
    pg: PgServer, hostile: str, opened: list[list[str]]
) -> None:
    """Mallory owns the database and waits for the master: every verb, with his search_path as the session's own."""
    pg.run("postgres", f"alter database {hostile} reset role")  # else his traps run as he himself
    server = PostgresServer(pg.target(hostile))
    for name, verb in VERBS.items():
        verb(server)
        assert not has_risen(pg), f"{name} ran mallory's code as the master"
    assert opened, "no connection was seen"
    for said in opened:
        assert said[:2] == list(connections.settings.FIRST), said[:3]


def test_a_session_begins_with_nothing_of_the_databases(pg: PgServer, hostile: str) -> None:
    with connections.session(pg.target(hostile), doing="look") as connection:
        shown = {name: connection.execute(f"show {name}").fetchall()[0][0] for name in WANTED}
        assert connection.execute("select current_user::text, session_user::text").fetchone() == ("postgres",) * 2
    assert shown == WANTED
    with connections.client_session(pg.target(hostile), doing="look") as connection:
        assert {name: connection.execute(f"show {name}").fetchall()[0][0] for name in WANTED} == WANTED
    assert not has_risen(pg)


def test_what_the_tool_makes_is_the_masters_own(pg: PgServer, hostile: str) -> None:
    """ALTER DATABASE ... SET role: the fence's function would belong to mallory, who may then replace it."""
    server = PostgresServer(pg.target(hostile))
    server.forget()
    server.fence("r1", 10)
    owners = pg.rows(hostile, "select distinct proowner::regrole::text from pg_proc where proname ~ '^refuse_'")
    assert owners == [("postgres",)]
    assert pg.rows(hostile, "select nspowner::regrole::text from pg_namespace where nspname = 'rotator'") == [
        ("postgres",)
    ]


def test_the_workers_settings_are_still_reported(pg: PgServer, hostile: str) -> None:
    """The subscription's workers obey the database's settings: preflight says so, over a pinned session."""
    found = {each.code: each for each in replicate_findings(pg.target(hostile), strengthen=True, rotation_id=None)}
    assert "role = mallory" in found["apply-settings"].what
    assert "lock_timeout" in found["apply-limits"].what


@pytest.mark.parametrize("setting", ["scram_iterations"])
def test_a_password_gets_no_weak_hash(pg: PgServer, hostile: str, setting: str) -> None:
    """Whoever reads the hash of the rotation's login would guess its password from a single iteration."""
    if not pg.rows("postgres", f"select 1 from pg_settings where name = '{setting}'"):
        pytest.skip("a setting of PostgreSQL 16")
    pg.run("postgres", f"alter database {hostile} set {setting} = 1")
    with connections.session(pg.target(hostile), doing="look") as connection:
        secret = connection.pgconn.encrypt_password(b"secret", b"somebody", b"scram-sha-256").decode()
    assert secret.startswith("SCRAM-SHA-256$4096:")


def test_a_role_called_rds_superuser_proves_nothing(pg: PgServer, hostile: str) -> None:
    """Whoever may make roles makes that one, grants it to the master, and says what it may set: none would begin."""
    login = f"login createdb password '{pg.password}'"
    pg.run(
        "postgres",
        f"create role plain_master {login}",
        "create role rds_superuser",
        "grant rds_superuser to plain_master",
    )
    pg.run("postgres", f"alter database {hostile} set rds.superuser_variables = 'session_replication_role'")
    try:
        server = PostgresServer(pg.target(hostile, user="plain_master"))
        assert server.ping()
        assert "no-event-trigger" in {finding.code for finding in server.preflight()}
    finally:
        pg.run("postgres", "drop role plain_master", "drop role rds_superuser")


CONNECTS = {"connect", "Connection", "AsyncConnection"}
OPENERS = {"database/postgres/connection.py"}
"""The one place where the tool opens a connection. The sandbox's own are an application's, or its superuser's."""


def test_there_is_one_place_that_connects() -> None:
    root = Path(rotator.__file__).parent
    found = set()
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            text = ast.unparse(called) if called is not None else ""
            driver = text.startswith(("psycopg.", "psycopg2.", "pq.PGconn")) or text.endswith("AsyncConnection.connect")
            if driver and text.split("[")[0].rsplit(".", 1)[-1] in CONNECTS | {"connect_start", "ConnectionPool"}:
                found.add(path.relative_to(root).as_posix())
    assert {name for name in found if not name.startswith("sandbox/")} == OPENERS
    names = {name for name in dir(connections) if name.endswith("session") and callable(getattr(connections, name))}
    assert names == {"session", "client_session", "open_session"}, "each of these pins first; a new one must too"


def test_every_verb_is_tried() -> None:
    """All verbs of the server are in VERBS, or are those that need a second server or end other sessions."""
    public = {name for name in vars(PostgresServer) if not name.startswith("_")}
    others = {"checksum", "raise_counters", "static_settings", "end_clients", "target"}
    assert public - set(VERBS) - others == set()
