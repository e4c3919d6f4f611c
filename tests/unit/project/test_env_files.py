"""Names of an env's files stand in one place."""

import ast

from import_graph import PACKAGE

from rotator.domain import env_files

NAMES = {value for name, value in vars(env_files).items() if name.isupper() and "." in value}


def literals(source: str) -> set[str]:
    """Names of files among the strings of a source that are no docstrings."""
    tree = ast.parse(source)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said)
    return {str(node.value) for node in strings} & NAMES


def test_no_other_file_spells_them() -> None:
    found = {path.name: literals(path.read_text()) for path in PACKAGE.rglob("*.py") if path.name != "env_files.py"}
    assert {name: words for name, words in found.items() if words} == {}
    assert {"journal.json", "generations.auto.tfvars.json", ".rotator", "rotation.toml"} <= NAMES


def test_a_name_is_found() -> None:
    assert literals('"""journal.json"""\nx = folder / "journal.json"') == {"journal.json"}
