"""Steps and commands read no field of AWS's answers: the kind of deployment does that for them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from import_graph import PACKAGE

FIELD = re.compile(r"[A-Z]+[a-z]+([A-Z]+[a-z]*)+")
"""As AWS writes names of fields: DBInstanceIdentifier, KmsKeyId."""
KEPT = {"PendingDeletion", "PendingReplicaDeletion", "KiB", "MiB", "GiB"}
"""States of KMS keys, which are values and the domain's own words; units."""
FILES = sorted(path for room in ("rotation", "commands") for path in (PACKAGE / room).rglob("*.py"))


def reads(source: str) -> set[str]:
    """Names of fields among the strings of a source that are no documentation, and looks at raw answers."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "raw":
            found.add(".raw")
        text = node.value if isinstance(node, ast.Constant) and id(node) not in prose else None
        if isinstance(text, str) and FIELD.fullmatch(text):
            found.add(text)
    return found - KEPT


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_field_of_aws_is_read(path: Path) -> None:
    assert reads(path.read_text()) == set()


@pytest.mark.parametrize("name", ["DBClusterIdentifier", "KmsKeyId", "MultiAZ", "IAMDatabaseAuthenticationEnabled"])
def test_a_field_is_found(name: str) -> None:
    assert reads(f"x = found[{name!r}]") == {name}
    assert reads(f"x = found.get({name!r}, None)") == {name}


def test_a_raw_answer_is_found_and_prose_is_not() -> None:
    assert reads("x = blue.raw") == {".raw"}
    assert reads("'''DBInstanceIdentifier'''\nx = 'Enabled'") == set()
