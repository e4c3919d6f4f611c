"""Terraform's addresses are written in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from import_graph import PACKAGE

ADDRESSES = PACKAGE / "domain" / "addresses.py"
ADDRESS = re.compile(
    r"^module\.\w|aws_[a-z_]+\.\w|terraform_data\.\w|^aws_(db_instance|kms_key|kms_alias|route53_record)$"
)


def strings(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each string that is no documentation; of an f-string its fixed parts."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def names_a_resource(text: str) -> bool:
    return ADDRESS.search(text) is not None


def elsewhere(home: Path, meant: Callable[[str], bool]) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE)}:{line}: {text!r}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != home
        for line, text in strings(path.read_text())
        if meant(text)
    ]


def test_addresses_are_written_in_one_place() -> None:
    assert elsewhere(ADDRESSES, names_a_resource) == []


@pytest.mark.parametrize(
    "source", ["f'module.database[\"{g}\"].aws_db_instance.this'", "x = 'aws_kms_key'", "f('terraform_data.gate[0]')"]
)
def test_an_address_that_is_built_is_found(source: str) -> None:
    assert any(names_a_resource(text) for _, text in strings(source))


@pytest.mark.parametrize("source", ["'''module.database is a noun'''", "x = 'correct it in rotation.toml'"])
def test_prose_is_nobodys_name(source: str) -> None:
    assert not any(names_a_resource(text) for _, text in strings(source))
