"""What preflight tells people to type is what helps: each GRANT is typed by whom it names, and the finding is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql
from replication_pair import DATABASE, MASTER, Pair, running_pair

from rotator.database.postgres.connection import session
from rotator.database.postgres.reading.become import OWN_ROLES_ONLY, how_to_become
from rotator.database.postgres.server import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Roles that the tool's user has made, that somebody else has made, that the service has made; each has a table."""
    with running_pair("create role made_here") as made:
        with made.blue.admin(DATABASE) as service:
            if service.info.server_version < OWN_ROLES_ONLY:
                pytest.skip("before PostgreSQL 16 CREATEROLE may grant every role")
            for statement in ("create role boss createrole", "set role boss", "create role of_boss", "reset role"):
                service.execute(statement.encode())
            service.execute(b'create role "Of Nobody"')
            for owner in ("made_here", "of_boss", "Of Nobody", "rdsadmin"):
                words = (sql.Identifier(f"of {owner}"), sql.Identifier(owner))
                service.execute(sql.SQL("create table {0} (id int primary key)").format(words[0]))
                service.execute(sql.SQL("alter table {0} owner to {1}").format(*words))
        yield made


def fix(pair: Pair, owner: str) -> str:
    with session(pair.source, doing="look") as connection:
        return how_to_become(connection, [owner])


def typed(pair: Pair, by: str, statement: str) -> None:
    with pair.blue.admin(DATABASE) as service:
        service.execute(sql.SQL("set role {}").format(sql.Identifier(by)))
        service.execute(statement.encode())


def missing(pair: Pair) -> str:
    return " ".join(each.what for each in PostgresServer(pair.source).preflight() if each.code == "not-owner")


def test_a_role_that_the_user_has_made_is_granted_by_itself(pair: Pair) -> None:
    assert fix(pair, "made_here") == f'GRANT "made_here" TO "{MASTER}" WITH SET TRUE, INHERIT TRUE;'
    pair.run(fix(pair, "made_here"))
    assert "of made_here" not in missing(pair)


def test_a_role_of_somebody_elses_is_granted_by_who_may(pair: Pair) -> None:
    by, _, grant = fix(pair, "of_boss").partition(": ")
    assert by == 'As "boss"'
    assert "of of_boss" in missing(pair)
    typed(pair, "boss", grant)
    assert "of of_boss" not in missing(pair)


def test_what_no_role_may_grant_is_said(pair: Pair) -> None:
    by, _, grant = fix(pair, "Of Nobody").partition(": ")
    assert by == "As a superuser (no other role has ADMIN OPTION on it)"
    typed(pair, "rdsadmin", grant)
    assert "of Of Nobody" not in missing(pair)


def test_the_services_own_role_is_not_to_be_had(pair: Pair) -> None:
    assert "GRANT" not in fix(pair, "rdsadmin")
    assert fix(pair, "rdsadmin").startswith('Nobody may grant "rdsadmin"')
    assert "of rdsadmin" in missing(pair)
