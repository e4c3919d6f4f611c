"""The docs keep up with the code: a section for each step, an entry for each code, the help text as it is."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys

import pytest
from error_codes import all_codes, codes_in
from import_graph import ROOT

import rotator
from rotator.domain.errors import ExitCode, RotatorError
from rotator.domain.rotation import Strategy

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
README = (ROOT / "README.md").read_text()
HEADING = re.compile(r"^#{2,4} (.+)$", re.MULTILINE)


def headings() -> set[str]:
    return {title.replace("`", "") for title in HEADING.findall(RUNBOOK)}


def section(title: str) -> str:
    """The text under '## title', up to the next heading of that rank."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert found, f"docs/runbook.md has no section {title!r}"
    return found[1]


def listed(title: str) -> set[str]:
    """The first cell of every row of the tables in that section; a cell may hold several codes."""
    rows = re.findall(r"^\| (.+?) \|", section(title), re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row)}


STRATEGIES = (Strategy.SNAPSHOT, Strategy.REPLICATE)


def test_every_step_has_a_section() -> None:
    steps = importlib.import_module("rotator.rotation.registry")
    for strategy in STRATEGIES:
        names = [step.name for step in (*steps.rotation_steps(strategy), *steps.retire_steps(strategy))]
        assert len(names) == len(set(names)) > 15
        assert not set(names) - headings()


def test_every_step_that_is_taken_back_says_so_in_the_rollback_section() -> None:
    steps = importlib.import_module("rotator.rotation.registry")
    for strategy in STRATEGIES:
        assert not {step.name for step in steps.rollback_steps(strategy)} - listed("Rollback")


def test_every_exit_code_has_an_entry() -> None:
    assert listed("Exit codes") == {str(int(code)) for code in ExitCode}


def test_the_readme_lists_the_same_exit_codes() -> None:
    table = README.split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\d+)` \|", table, re.MULTILINE)) == {str(int(code)) for code in ExitCode}


def test_every_code_of_the_source_has_an_entry() -> None:
    entries = listed("Error codes") | listed("Preflight findings")
    missing = {code: place for code, place in all_codes().items() if code not in entries}
    assert not missing


def test_every_error_class_has_an_entry() -> None:
    for module in pkgutil.walk_packages(rotator.__path__, "rotator."):
        importlib.import_module(module.name)
    todo, found = [RotatorError], set()
    while todo:
        kind = todo.pop()
        found.add(kind.code)
        todo += kind.__subclasses__()
    assert len(found) > 15
    assert not found - listed("Error codes")


def test_no_entry_is_of_a_code_that_is_gone() -> None:
    entries = listed("Error codes") | listed("Preflight findings")
    assert not entries - set(all_codes())


def test_the_readme_shows_the_help_as_it_is() -> None:
    program = "import sys; sys.argv[0] = 'rotator'; from rotator.cli import main; main()"
    environ = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", program, "--help"], env=environ, capture_output=True, text=True, check=True
    )
    wanted = "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())
    assert f"$ rotator --help\n{wanted}\n```" in README


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ('raise Blocked("x", code="a-b")', ["a-b"]),
        ('class E(Exception):\n    code = "c"', ["c"]),
        ('class E(Exception):\n    code: str = "c"', ["c"]),
        ('yield _block("d", "what")', ["d"]),
        ('E(code="e" if x else "f")', ["e", "f"]),
        ('E(code=f"g-{x}")', ["g-*"]),
        ("E(code=x)", []),
    ],
)
def test_codes_are_found_in_every_form(source: str, codes: list[str]) -> None:
    assert list(codes_in(source)) == codes
