"""Every finding is made by a real database that has the trouble."""

import threading
from collections.abc import Iterator

import pytest
from pg_fixture import PgServer, running_server
from pg_writers import reached

from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.server import server_findings
from rotator.database.postgres.server import PostgresServer
from rotator.domain.database import Finding

pytestmark = pytest.mark.postgres


IN_CLEAR = "weak-tls"
"""These servers speak no TLS, so each of them has this finding; tests/security/test_tls.py makes it."""


def findings(pg: PgServer, name: str = "postgres", user: str = "postgres") -> dict[str, Finding]:
    found = PostgresServer(pg.target(name, user=user)).preflight()
    assert all(finding.what and finding.why and finding.fix for finding in found)
    assert IN_CLEAR in {finding.code for finding in found}
    return {finding.code: finding for finding in found if finding.code != IN_CLEAR}


def test_a_healthy_database_has_no_findings(pg: PgServer) -> None:
    with pg.database("create table a (id bigserial primary key, v text)", "create view v as select * from a") as name:
        assert findings(pg, name) == {}


def test_settings_that_wait_for_a_restart_are_told_and_green_would_start_with_them(pg: PgServer) -> None:
    with pg.database() as name, session(pg.target(name), doing="test") as admin:
        server = PostgresServer(pg.target(name))
        running = server.static_settings()["max_connections"][0]
        assert "data_directory" not in server.static_settings()
        admin.execute("alter system set max_connections = 33")
        try:
            admin.execute("select pg_reload_conf()")
            assert reached(lambda: "pending-restart" in findings(pg, name))
            found = findings(pg, name)["pending-restart"]
            assert server.static_settings()["max_connections"] == (running, True)
        finally:
            admin.execute("alter system reset max_connections")
            admin.execute("select pg_reload_conf()")
        assert found.blocks
        assert f"max_connections (now {running})" in found.what
        assert reached(lambda: findings(pg, name) == {})


# (statements, code, blocks, what the finding must name)
TROUBLES = [
    (("create schema rotator",), "foreign-schema", True, "rotator"),
    (("drop extension plpgsql",), "no-plpgsql", True, "plpgsql"),
    (("select lo_create(0)",), "large-objects", True, "1 large objects"),
    (("create unlogged table u as select 1 i",), "unlogged-table", True, "public.u"),
    (("create unlogged table u (i int)",), "unlogged-table", False, "public.u"),
    (
        (
            "create table a (i int)",
            "create index broken on a (i)",
            "update pg_index set indisvalid = false where indexrelid = 'broken'::regclass",
        ),
        "invalid-index",
        False,
        "public.broken",
    ),
    (
        (
            "create collation stale (provider = icu, locale = 'de')",
            "update pg_collation set collversion = '1' where collname = 'stale'",
        ),
        "collation-version",
        False,
        "stale",
    ),
    (
        ("create extension citext", "update pg_extension set extname = 'pg_cron' where extname = 'citext'"),
        "scheduled-jobs",
        False,
        "pg_cron",
    ),
]


@pytest.mark.parametrize(("statements", "code", "blocks", "named"), TROUBLES, ids=[f"{t[1]} {t[2]}" for t in TROUBLES])
def test_trouble_of_one_database(
    pg: PgServer, statements: tuple[str, ...], code: str, blocks: bool, named: str
) -> None:
    with pg.database(*statements) as name:
        found = findings(pg, name)
    assert set(found) == {code}
    assert found[code].blocks is blocks
    assert named in found[code].what
    assert name in found[code].what


def test_enabled_subscription(pg: PgServer) -> None:
    with pg.database(
        "create subscription feed connection 'host=127.0.0.1 port=1' publication p with (connect = false,"
        " slot_name = s)",
        "alter subscription feed enable",
    ) as name:
        found = findings(pg, name)["subscription"]
        pg.run(name, "alter subscription feed disable", "alter subscription feed set (slot_name = none)")
        assert "subscription" not in findings(pg, name)
        pg.run(name, "drop subscription feed")
    assert found.blocks
    assert f"database {name}: feed" in found.what


def test_prepared_transaction(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as name:
        pg.run(name, "begin; insert into a values (1); prepare transaction 'left over'")
        found = findings(pg, name)["prepared-transaction"]
        pg.run(name, "rollback prepared 'left over'")
    assert found.blocks
    assert "left over" in found.what
    assert name in found.what


def test_long_transaction(pg: PgServer) -> None:
    with pg.connect("postgres", application_name="report") as client:
        client.execute("select 1")
        pid = client.info.backend_pid
        with session(pg.target(), doing="look") as connection:
            found = {finding.code: finding for finding in server_findings(connection, long_seconds=0)}
    assert not found["long-transaction"].blocks
    assert f"pid {pid}" in found["long-transaction"].what
    assert "report" in found["long-transaction"].what


def test_replication_slot(pg: PgServer) -> None:
    pg.run("postgres", "select pg_create_physical_replication_slot('standby_1')")
    found = findings(pg, "postgres")["replication-slot"]
    pg.run("postgres", "select pg_drop_replication_slot('standby_1')")
    assert not found.blocks
    assert "standby_1 (physical)" in found.what


def test_running_vacuum(pg: PgServer) -> None:
    with pg.database("create table a as select i from generate_series(1, 200000) i", "delete from a") as name:
        slow = ("set vacuum_cost_delay = 100", "set vacuum_cost_limit = 1", "vacuum a")
        thread = threading.Thread(target=_ignoring_cancel, args=(pg, name, slow))
        thread.start()
        assert reached(lambda: bool(pg.rows(name, "select 1 from pg_stat_progress_vacuum")))
        found = findings(pg, name)["vacuum"]
        pg.run(name, "select pg_cancel_backend(pid) from pg_stat_progress_vacuum")
        thread.join(10)
    assert not found.blocks
    assert name in found.what


def _ignoring_cancel(pg: PgServer, name: str, statements: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match="cancel"):
        pg.run(name, *statements)


@pytest.fixture
def master(pg: PgServer) -> Iterator[str]:
    """A login without privileges, as a master user who has been granted too little."""
    pg.run("postgres", f"create role master login password '{pg.password}'", "create role app_owner")
    yield "master"
    pg.run("postgres", "drop owned by master cascade", "drop role master, app_owner")


def test_missing_privileges_name_what_to_grant(pg: PgServer, master: str) -> None:
    with pg.database(
        "create schema shop",
        "create table shop.item (id serial)",
        "alter table shop.item owner to app_owner",
        "create table shop.hidden (i int)",
        "alter table shop.hidden enable row level security",
        "alter table shop.hidden force row level security",
        "alter table shop.hidden owner to master",
        "grant usage on schema shop to master",
    ) as name:
        found = findings(pg, name, user=master)
        assert {code for code, each in found.items() if each.blocks} == {
            *("no-create", "not-owner", "no-select", "row-security", "reading-code"),
        }
        assert {code for code, each in found.items() if not each.blocks} == {"no-event-trigger", "no-signal"}
        assert "shop.item" in found["not-owner"].what
        by, _, grant = found["not-owner"].fix.partition(": ")
        assert by == "As a superuser (no other role has ADMIN OPTION on it)"
        assert grant.startswith('GRANT "app_owner" TO "master"')
        assert found["reading-code"].fix == f"{found['not-owner'].fix} GRANT USAGE ON SCHEMA shop TO app_owner;"
        assert "shop.item" in found["no-select"].what
        assert "shop.hidden" in found["row-security"].what
        pg.run(
            name,
            grant,
            found["reading-code"].fix.partition("; ")[2],  # the first is `grant`
            found["no-create"].fix,
            found["no-signal"].fix,
            "grant create on database postgres to master",
            "alter role master bypassrls",
        )
        assert set(findings(pg, name, user=master)) == {"no-event-trigger"}
        pg.run("postgres", "revoke create on database postgres from master")
        pg.run(name, "drop owned by app_owner")


def test_a_database_that_cannot_be_connected_to(pg: PgServer, master: str) -> None:
    with pg.database() as name:
        pg.run("postgres", f"revoke connect on database {name} from public")
        found = findings(pg, "postgres", user=master)["database-connect"]
    assert found.blocks
    assert name in found.what
    assert f'GRANT CONNECT ON DATABASE "{name}" TO "master"' in found.fix


def test_a_read_replica() -> None:
    with running_server(standby=True) as replica:
        found = findings(replica, "postgres")
    assert found["replica"].blocks


def test_more_tables_than_the_lock_table_holds_is_no_trouble() -> None:
    """One table is locked at a time: no limit to check."""
    make = "create table t%s (i int)"
    with (
        running_server(max_locks_per_transaction="10", max_connections="10", max_prepared_transactions="0") as small,
        small.database(*(make % i for i in range(1500))) as name,
    ):
        server = PostgresServer(small.target(name))
        assert findings(small, name) == {}
        assert server.fence("r1", 60).on
        server.unfence()
