"""Who reads a server's logs or statistics of statements, and a login that a rotation has left behind.

With the password of the rotation's login, which nobody but the subscriptions needs, he could read every change of every
database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from replication_pair import DATABASE, ROTATION, Pair, running_pair

from rotator.database.interface import Target
from rotator.database.postgres.catalog import schema as catalog
from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.replicate import replicate_findings
from rotator.database.postgres.replication import subscribe
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.postgres.replication.login import VALID_DAYS
from rotator.database.postgres.replication.names import Names
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres import binaries
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = pytest.mark.postgres

ROLE = Names(ROTATION).role
TABLE = "create table item (id int primary key)"
LOUD = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
}


def password(pair: Pair) -> str:
    """As the subscription has it: for superusers alone."""
    assert pair.green is not None
    with pair.green.admin(DATABASE) as admin:
        ((conninfo,),) = admin.execute("select subconninfo from pg_subscription").fetchall()
    return str(psycopg.conninfo.conninfo_to_dict(str(conninfo))["password"])


def logs(pair: Pair) -> str:
    assert pair.green is not None
    return "".join((each.folder / "server.log").read_text(errors="replace") for each in (pair.blue, pair.green))


def subscribed(pair: Pair) -> Pair:
    pair.open()
    pair.restore(pair.snapshot())
    pair.forward.attach(pair.seed())
    pair.forward.start()
    pair.forward.catch_up(30.0)
    return pair


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Servers that log all that they are told."""
    with running_pair(TABLE, **LOUD) as made:
        yield subscribed(made)


def test_servers_that_log_every_statement_and_its_values_do_not_log_the_password(pair: Pair) -> None:
    found = logs(pair)
    assert "rotator.masked" in found or pair.blue.settings.programs.count("/15/"), "nothing was logged"
    assert password(pair) not in found
    assert not re.search(r"password='*[0-9a-f]{8}", found)


def test_a_subscription_that_fails_leaves_its_password_in_no_log(pair: Pair) -> None:
    """PostgreSQL logs the statement within a block as the context of its error."""
    other = Names("another-g1")
    pair.run(f"create role {other.role} login replication", f"create publication {other.publication} for table item")
    pair.run(f"create publication {other.publication} for table item", on=pair.green)
    nowhere = replace(pair.source, address="127.0.0.1", port=1)
    channel = PostgresChannel("another-g1", pair.source, pair.target, pinned=True)
    assert channel.names == other
    with pytest.raises(DatabaseError) as caught:
        _subscribe_from(nowhere, channel)
    assert "password=" not in str(caught.value) + str(caught.value.why)
    assert not re.search(r"password='*[0-9a-f]{8}", logs(pair))
    for each in (pair.blue, pair.green):
        pair.run(f"drop publication {other.publication}", on=each)
    pair.run(f"drop role {other.role}")


def _subscribe_from(nowhere: Target, channel: PostgresChannel) -> None:
    """The login is reachable for the tool, and not for green."""
    with session(channel.target, DATABASE, doing="subscribe") as connection:
        text = subscribe._conninfo(nowhere, channel.names, DATABASE, {}, pinned=True)
        subscribe._subscription(connection, channel.names, channel.names.slot(1), text, "ab" * 32)


def test_the_login_can_replicate_for_a_time_and_nothing_else(pair: Pair) -> None:
    query = f"""select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolconnlimit,
        rolvaliduntil between now() + interval '{VALID_DAYS - 1} days' and now() + interval '{VALID_DAYS} days',
        exists (select from pg_auth_members where member = r.oid) from pg_roles r where rolname = '{ROLE}'"""
    assert pair.rows(query) == [(False, False, False, False, True, 3, True, False)]
    where = {"host": pair.source.host, "dbname": DATABASE, "user": ROLE, "password": password(pair)}
    with psycopg.connect(**where) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select from item")
    with ExitStack() as stack, pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        stack.enter_context(_several(where, 4))


@contextmanager
def _several(where: dict[str, str], count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(psycopg.connect(**where))
        yield


def test_both_sides_compare_equal_though_the_login_is_valid_for_different_times(pair: Pair) -> None:
    pair.run(f"alter role {ROLE} valid until 'tomorrow'")
    assert catalog.schema(pair.source) == catalog.schema(pair.target)


def test_a_login_that_has_run_out_is_renewed_by_the_next_run_and_the_link_heals(pair: Pair) -> None:
    pair.run(f"alter role {ROLE} valid until 'yesterday'")
    with pair.blue.admin() as admin:
        admin.execute("select pg_terminate_backend(pid, 5000) from pg_stat_replication")
    pair.run("insert into item values (1)")
    with pytest.raises(DatabaseError):
        pair.forward.catch_up(0.5)
    pair.forward.resume()
    pair.forward.catch_up(60.0)
    assert pair.rows("select id from item", pair.green) == [(1,)]


def test_preflight_names_a_login_that_was_left_behind_and_how_to_drop_it(pair: Pair) -> None:
    pair.run(
        "revoke connect on database shop from public",
        "create role rotator_old_g1 login replication",
        "grant connect on database shop to rotator_old_g1",
    )
    found = {each.code: each for each in replicate_findings(pair.source, strengthen=True, rotation_id=ROTATION)}
    assert found["own-login"].what == "logins of earlier rotations: rotator_old_g1"
    pair.run("grant connect on database shop to public", found["own-login"].fix.split("or: ")[1])
    codes = {each.code for each in replicate_findings(pair.source, strengthen=True, rotation_id=ROTATION)}
    assert "own-login" not in codes


@pytest.mark.parametrize("side", ["blue", "green"])
def test_the_login_is_dropped_where_a_direction_is_closed(pair: Pair, side: str) -> None:
    """Last of all: at rollback and retire on blue, at retire on green."""
    channel = pair.forward if side == "blue" else pair.back
    where = pair.blue if side == "blue" else pair.green
    if side == "blue":
        pair.forward.detach()
    channel.close()
    assert pair.rows("select 1 from pg_roles where starts_with(rolname, 'rotator_')", where) == []


# --- statistics of statements ---


def _has_statistics() -> bool:
    folder = binaries.find().folder
    places = (folder.parent / "lib", folder.parent / "lib" / "postgresql")
    return any((Path(place) / "pg_stat_statements.so").exists() for place in places)


@pytest.mark.skipif(not _has_statistics(), reason="these PostgreSQL programs come without pg_stat_statements")
def test_statistics_of_statements_within_others_do_not_keep_the_password() -> None:
    settings = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with running_pair(TABLE, **settings) as made:
        with made.blue.admin(DATABASE) as admin:
            admin.execute("create extension pg_stat_statements")
            may_set = admin.info.server_version < 160000  # the master is a superuser there
            assert _warned(made) is not may_set
            admin.execute("grant execute on function pg_stat_statements_reset to rds_superuser")
        assert not _warned(made)
        subscribed(made)
        _nobody_reads(made, made.green)


def _warned(made: Pair) -> bool:
    found = {each.code: each for each in replicate_findings(made.source, strengthen=True)}
    assert "statement-log" not in found or "pg_stat_statements.track = all" in found["statement-log"].what
    return "statement-log" in found


def _nobody_reads(made: Pair, green: Cluster | None) -> None:
    assert green is not None
    with green.admin(DATABASE) as admin:
        texts = [str(text) for (text,) in admin.execute("select query from pg_stat_statements").fetchall()]
    assert texts
    assert not [text for text in texts if password(made) in text]
