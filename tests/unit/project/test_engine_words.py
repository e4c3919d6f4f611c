"""Steps and commands speak of no engine: another one moves in without a change to them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from import_graph import PACKAGE, is_in, read_graph

ROOMS = ("rotator.rotation", "rotator.commands", "rotator.journal", "rotator.report")
WORDS = re.compile(
    r"(^|_)(lsn|wal|slots?|publications?|published|subscri\w*|replica_identity|sequences?|postgres\w*|psycopg|gtid\w*)(_|$)"
)
KEPT = {
    "sequences",  # of [cutover] and of the journal: the user's words for counters
    "sequence_headroom",
    "replica_identity_full",
    "max_retained_wal_gb",
    "compare_sequences",
    "Sequence",  # of collections.abc
}
"""Keys of rotation.toml and fields of the journal, which stay as they are; and the comparison of counters in words."""


def identifiers(source: str) -> set[str]:
    """Names of a source that are words of an engine. Texts for people are no names."""
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg | ast.keyword) and node.arg}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for name in names if WORDS.search(name.lower())} - KEPT


def files(room: str) -> list[Path]:
    return sorted(path for path in (PACKAGE.parent / room.replace(".", "/")).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_is_a_word_of_an_engine(room: str) -> None:
    found = {str(path): identifiers(path.read_text(encoding="utf-8")) for path in files(room)}
    assert found
    assert {path: words for path, words in found.items() if words} == {}


def test_nobody_but_the_registry_imports_an_engine() -> None:
    users = {
        module
        for module in read_graph().users_of("rotator.database.postgres")
        if not is_in(module, ("rotator.database.postgres", "rotator.sandbox"))
    }
    assert users == {"rotator.database.engines"}


@pytest.mark.parametrize("name", ["slots", "flush_lsn", "subscribe", "replica_identity", "postgres_only", "wal_bytes"])
def test_such_a_word_is_found(name: str) -> None:
    assert identifiers(f"def f(a): return a.{name}") == {name}
    assert identifiers(f"{name} = 1") == {name}


def test_a_text_for_people_may_say_it() -> None:
    assert identifiers("x = 'the slot is lost'") == set()
