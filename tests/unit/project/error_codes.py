"""Every error code that the package can end with, or show as a preflight finding, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from import_graph import PACKAGE

CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(-\*)?")
FINDING_MAKERS = ("Finding", "block", "_block", "warn", "_warn", "_taken", "_Limit")


def codes_in(source: str) -> Iterator[str]:
    """Class attributes `code = "x"`, arguments `code="x"`, and the first argument of what makes a Finding."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign | ast.AnnAssign) and _names(line) == ["code"]:
                    yield from _text(line.value)
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from _text(keyword.value)
            if isinstance(node.func, ast.Name) and node.func.id in FINDING_MAKERS and node.args:
                yield from _text(node.args[0])


def all_codes(package: Path = PACKAGE) -> dict[str, str]:
    """Code -> the file that it was found in."""
    found: dict[str, str] = {}
    for path in sorted(package.rglob("*.py")):
        for code in codes_in(path.read_text()):
            if CODE.fullmatch(code):
                found.setdefault(code, str(path.relative_to(package)))
    return found


def _names(line: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = line.targets if isinstance(line, ast.Assign) else [line.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text(node: ast.expr | None) -> Iterator[str]:
    """Constants, both branches of a conditional expression, 'prefix-*' for f"prefix-{...}"; nothing else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        yield f"{node.values[0].value}*"
    elif isinstance(node, ast.IfExp):
        yield from _text(node.body)
        yield from _text(node.orelse)
