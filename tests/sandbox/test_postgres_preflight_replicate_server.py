# ruff: noqa: F811 (the fixtures are imported)
"""Every finding of strategy replicate about a whole server is made by a real server that has the trouble."""

from collections.abc import Mapping

import pytest
from pg_findings import KEYED, findings, login, since  # noqa: F401
from pg_fixture import PgServer, running_server

from rotator.database.postgres.preflight.findings import findings as ordinary_findings
from rotator.database.postgres.preflight.replicate import replicate_findings, version_findings
from rotator.database.postgres.replication.names import Names

pytestmark = pytest.mark.postgres

ROTATION = "g1-20260101-1200"


def test_rights_that_are_lacking_and_what_gives_them(pg: PgServer, login: str) -> None:
    with pg.database(KEYED) as name:
        pg.run("postgres", "create role rds_replication")
        found = replicate_findings(pg.target(name, user=login), strengthen=False)
        of_server, of_database = (each for each in found if each.code == "replication-rights")
        assert of_server.blocks
        assert "plain may not make replication slots, subscriptions, roles" in of_server.what
        assert of_database.blocks
        assert name in of_database.what
        pg.run(name, of_database.fix, *of_server.fix.split("elsewhere: ")[1].removesuffix(";").split("; "))
        assert findings(pg, name, user=login) == {}
        pg.run("postgres", "alter role plain nosuperuser noreplication nocreaterole")
        assert "slots" in findings(pg, name, user=login)["replication-rights"].what
        pg.run("postgres", "grant rds_replication to plain")
        assert "slots" not in findings(pg, name, user=login)["replication-rights"].what
        pg.run(name, "drop owned by plain cascade")
        pg.run("postgres", "drop role rds_replication")


def test_rds_superuser_may_all(pg: PgServer, login: str) -> None:
    pg.run("postgres", "create role rds_superuser", "create role rdsadmin superuser", "grant rds_superuser to plain")
    with pg.database(KEYED) as name:
        assert findings(pg, name, user=login) == {}
    pg.run("postgres", "drop role rds_superuser", "drop role rdsadmin")


def test_slots_and_subscriptions_of_another_rotation(pg: PgServer) -> None:
    with pg.database(KEYED) as name:
        oid = int(pg.rows(name, "select oid from pg_database where datname = current_database()")[0][0])
        slot, back = Names(ROTATION).slot(oid), Names(ROTATION, back=True).slot(oid)
        pg.run(
            name,
            f"create publication {Names(ROTATION).publication} for table keyed",
            f"select pg_create_logical_replication_slot('{slot}', 'pgoutput')",
            f"create subscription {back} connection 'host=127.0.0.1 port=1' publication p with (connect = false)",
            f"alter subscription {back} enable",
        )
        assert findings(pg, name, rotation=ROTATION) == {}
        assert not {"replication-slot", "subscription"} & {each.code for each in ordinary_findings(pg.target(name))}
        for rotation in (None, "g2-20260102-1200"):
            found = replicate_findings(pg.target(name), strengthen=False, rotation_id=rotation)
            assert [each.code for each in found] == ["own-leftover", "own-leftover"]
            assert all(each.blocks for each in found)
            assert f"subscription {back} (database {name})" in found[0].what
            assert f"slot {slot}" in found[0].what
            assert Names(ROTATION).publication in found[1].what
        on_server = found[0].fix.split("rollback), or: ")[1].removeprefix(f"in database {name}: ")
        pg.run(name, *on_server.removesuffix(";").split("; "), found[1].fix.split("or: ")[1])
        assert findings(pg, name) == {}


def test_open_transaction(pg: PgServer) -> None:
    with pg.database(KEYED) as name, pg.connect(name, application_name="import") as client:
        client.execute("insert into keyed values (1)")
        assert findings(pg, name) == {}
        found = findings(pg, name, open_seconds=0)
        assert set(found) == {"long-open-transaction"}
        assert not found["long-open-transaction"].blocks
        assert f"pid {client.info.backend_pid}" in found["long-open-transaction"].what
        assert "import" in found["long-open-transaction"].what
        client.rollback()
        client.execute("select 1")
        assert findings(pg, name, open_seconds=0) == {}


# (settings, slots that are there, codes, what they say)
SERVERS: list[tuple[Mapping[str, str], tuple[str, ...], dict[str, str]]] = [
    ({"wal_level": "replica"}, (), {"wal-level": "wal_level is replica"}),
    (
        {"max_replication_slots": "2"},
        ("standby",),
        {"slots-full": "max_replication_slots is 2, and 1 replication slots are in use: 2 more are needed"},
    ),
    ({"max_replication_slots": "2"}, (), {}),
    ({"max_wal_senders": "1"}, (), {"senders-full": "max_wal_senders is 1, and 0 WAL senders are in use"}),
    (
        {"max_logical_replication_workers": "1"},
        (),
        {"workers-full": "max_logical_replication_workers is 1, and 0 logical replication workers are in use"},
    ),
    (
        {"max_worker_processes": "2"},
        (),
        {"workers-full": "max_worker_processes is 2, and 1 worker processes are in use"},
    ),
    ({"max_worker_processes": "3"}, (), {}),
    ({"max_slot_wal_keep_size": "64MB"}, (), {"wal-retention": "max_slot_wal_keep_size is 64MB"}),
    ({"log_statement": "all", "log_min_duration_statement": "0"}, (), {}),
]


@pytest.mark.parametrize(
    ("settings", "kept", "expected"),
    SERVERS,
    ids=[" ".join(f"{k}={v}" for k, v in each[0].items()) for each in SERVERS],
)
def test_settings_of_the_server(
    settings: Mapping[str, str], kept: tuple[str, ...], expected: Mapping[str, str]
) -> None:
    """Two databases have tables, one has none."""
    with (
        running_server(standby=False, **settings) as server,
        server.database(KEYED, *(f"select pg_create_physical_replication_slot('{slot}')" for slot in kept)) as name,
        server.database(KEYED),
        server.database(),
    ):
        found = findings(server, name)
    assert set(found) == set(expected)
    for code, words in expected.items():
        assert words in found[code].what
        assert found[code].blocks is (code != "wal-retention")


# (setting, value, code, blocks)
SINCE_18 = [
    ("max_active_replication_origins", "1", "origins-full", True),
    ("idle_replication_slot_timeout", "1h", "slot-timeout", False),
]


@pytest.mark.parametrize(("setting", "value", "code", "blocks"), SINCE_18)
def test_settings_since_18(pg: PgServer, setting: str, value: str, code: str, blocks: bool) -> None:
    since(pg, 180000)
    with (
        running_server(standby=False, **{setting: value}) as server,
        server.database(KEYED) as name,
        server.database(KEYED),
    ):
        found = findings(server, name)
    assert set(found) == {code}
    assert found[code].blocks is blocks
    assert f"{setting} is {value}" in found[code].what


def test_a_database_that_cannot_be_connected_to_is_left_to_the_ordinary_findings(pg: PgServer, login: str) -> None:
    with pg.database(KEYED) as name:
        pg.run("postgres", f"revoke connect on database {name} from public")
        found = replicate_findings(pg.target("postgres", user=login), strengthen=False)
        assert not any(name in each.what for each in found)
        assert "database-connect" in {each.code for each in ordinary_findings(pg.target("postgres", user=login))}


@pytest.mark.parametrize(("version", "codes"), [(130014, ["replicate-version"]), (140000, []), (180004, [])])
def test_versions(version: int, codes: list[str]) -> None:
    found = list(version_findings(version))
    assert [each.code for each in found] == codes
    assert all(each.blocks for each in found)
