"""An ordinary user who owns tables on blue, and hangs functions of his own on them: as whom green runs these.

He gains the master's rights on green, and with the flip on the database that serves, if they run as the subscription's
owner when a change of his is applied.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from apply_hooks import HOOKS, OWNER, attack, prepared
from replication_pair import DATABASE, MASTER, PASSWORD, Pair, running_pair
from test_master_rights import servers

from rotator.database.postgres.catalog.applied_code import AS_TABLE_OWNER, applied
from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.replicate import replicate_findings
from rotator.domain.database import Finding
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

REFUSED = {"folded", "deferred"}
"""The first is refused on every version; the second stops where it is run as its table's owner (PostgreSQL 16, 17)."""
RUN = tuple(hook for hook in HOOKS if hook not in REFUSED)
OLD, NEW = 150000, 180000


@pytest.fixture(scope="module", params=servers() or [None], ids=lambda each: f"pg{each.major}" if each else "found")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with running_pair(*prepared(RUN, PASSWORD, MASTER), programs=request.param) as made:
        made.open()
        made.restore(made.snapshot())
        yield made


def version(pair: Pair) -> int:
    with pair.connect() as connection:
        return connection.info.server_version


def risen(pair: Pair) -> set[str]:
    """Hooks that have done on green what only the master may."""
    query = "select rolname from pg_roles where rolcreaterole and starts_with(rolname, 'got_')"
    return {str(row[0]).removeprefix("got_") for row in pair.rows(query, pair.green)}


def test_no_code_of_a_tables_owner_runs_with_the_masters_rights(pair: Pair) -> None:
    if version(pair) < AS_TABLE_OWNER:
        with pytest.raises(DatabaseError) as caught:
            pair.forward.attach(pair.seed())
        assert caught.value.code == "apply-code"
        assert pair.rows("select 1 from pg_subscription", pair.green) == []
        return
    pair.forward.attach(pair.seed())
    pair.forward.start()
    with pair.connect(user=OWNER) as mallory:
        for hook in RUN:
            for statement in attack(hook):
                mallory.execute(statement.encode())
    pair.forward.catch_up(30.0)
    assert risen(pair) == set()
    assert pair.rows("select count(*) from t_range", pair.green) == [(300,)]


def test_where_apply_is_the_tools_user_every_hook_is_found(pair: Pair) -> None:
    with session(pair.target, DATABASE, doing="look at the functions") as connection:
        found = {each.function for each in applied(connection, OLD) if each.mistrusted and each.runner == MASTER}
        assert {name.split("(")[0] for name in found} == {f"public.evil_{hook}" for hook in RUN}
        assert not [each for each in applied(connection, NEW) if each.mistrusted or each.barred]


def test_a_subscription_of_an_older_version_of_the_tool_loses_its_owners_rights(pair: Pair) -> None:
    if version(pair) < AS_TABLE_OWNER:
        pytest.skip("before PostgreSQL 16 there is no such choice")
    pair.run(
        *(
            f'alter subscription "{name}" set (run_as_owner = true)'
            for (name,) in pair.rows("select subname from pg_subscription", pair.green)
        ),
        on=pair.green,
    )
    pair.forward.resume()
    assert pair.rows("select subrunasowner from pg_subscription", pair.green) == [(False,)]


# --- what is refused ---


@pytest.fixture(scope="module")
def plain() -> Iterator[Pair]:
    """Blue alone, where mallory owns one table."""
    with running_pair(*prepared((), PASSWORD, MASTER), "create table mine (id int primary key)") as made:
        yield made


def findings(pair: Pair) -> dict[str, Finding]:
    return {each.code: each for each in replicate_findings(pair.source, strengthen=True)}


def as_mallory(pair: Pair, *statements: str) -> None:
    with pair.connect(user=OWNER) as mallory:
        for statement in statements:
            mallory.execute(statement.encode())


def test_preflight_names_functions_that_run_before_the_worker_becomes_the_owner(plain: Pair) -> None:
    """He has a table without a key, so that an index is looked for, and its constant calls are run meanwhile."""
    as_mallory(plain, *HOOKS["folded"])
    found = findings(plain)["apply-code"]
    assert found.blocks
    assert f"public.t_folded: public.evil_folded(integer) of {OWNER}, which would run as {MASTER}" in found.what
    as_mallory(plain, "alter table t_folded add primary key (id)")
    assert ("apply-code" in findings(plain)) is (version(plain) < AS_TABLE_OWNER)
    as_mallory(plain, "drop table t_folded")


def test_preflight_names_the_domain_of_another_in_a_table_of_the_masters(plain: Pair) -> None:
    """He may change the domain at any time; whoever owns the table would run its check."""
    as_mallory(plain, "create domain email as text", "grant usage on type email to public")
    plain.run("create table customer (id int primary key, mail email)")
    assert "apply-code" not in findings(plain)
    as_mallory(
        plain,
        "create function proper(text) returns bool language sql immutable as 'select true'",
        "alter domain email add check (proper(value))",
    )
    found = findings(plain)["apply-code"]
    assert f"public.customer: public.proper(text) of {OWNER}, which would run as {MASTER}" in found.what
    plain.run(f"alter function proper(text) owner to {MASTER}")
    assert "apply-code" not in findings(plain)
    plain.run("drop table customer")


def test_the_right_to_become_an_owner_is_asked_for_and_its_grant_suffices(plain: Pair) -> None:
    if version(plain) < AS_TABLE_OWNER:
        pytest.skip("before PostgreSQL 16 nobody becomes the owner")
    as_mallory(plain, "create table his (id int primary key)")
    plain.run(f"grant {OWNER} to {MASTER} with set false, inherit true")
    found = findings(plain)["apply-role"]
    assert found.blocks
    with plain.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"set role {OWNER}".encode())
    plain.run(found.fix)
    assert "apply-role" not in findings(plain)
    as_mallory(plain, "drop table his")


def test_owners_who_may_not_change_their_own_tables_are_named(plain: Pair) -> None:
    """Not an attack: as the owner such a change cannot be applied, which would stop green at the first one."""
    if version(plain) < AS_TABLE_OWNER:
        pytest.skip("before PostgreSQL 16 nobody becomes the owner")
    as_mallory(
        plain,
        "create table shut (id int primary key)",
        f"revoke insert on shut from {OWNER}",
        "create table hidden (id int primary key)",
        "alter table hidden enable row level security, force row level security",
    )
    plain.run(
        "create function secret(int) returns bool language sql immutable as 'select true'",
        "create table barred (id int primary key, v int check (secret(v)))",
        "revoke execute on function secret from public",
        f"grant execute on function secret to {MASTER}",
    )
    found = findings(plain)["apply-rights"]
    assert found.blocks
    assert f"public.shut (rights were taken from {OWNER})" in found.what
    assert f"public.hidden (its policies apply to {OWNER})" in found.what
    assert "barred" not in found.what
    plain.run(f"alter table barred owner to {OWNER}")
    assert f"public.barred ({OWNER} may not execute public.secret(integer))" in findings(plain)["apply-rights"].what
    as_mallory(plain, "drop table shut, hidden, barred")
