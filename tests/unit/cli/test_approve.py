"""--approve takes the names of gates, and nothing else: a typing error is no agreement."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from rotator.cli import app
from rotator.rotation.steps import approvals as gates

VERBS = [("rotate", gates.ROTATE), ("retire", gates.RETIRE), ("rollback", gates.ROLLBACK)]


def said(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


@pytest.mark.parametrize(("verb", "known"), VERBS)
@pytest.mark.parametrize("answer", ["nonsense", "Fenced", "", "fenced,no-way-back"])
def test_what_is_no_gate_is_refused_with_the_list(verb: str, known: tuple[gates.Approval, ...], answer: str) -> None:
    ended = said(verb, "local", "--approve", answer, "--json")
    assert ended.exit_code == 2
    error = json.loads(ended.stdout)["error"]
    assert error["code"] == "unknown-gate"
    assert all(gate in error["fix"] for gate in known)


def test_a_gate_of_another_verb_is_refused() -> None:
    assert said("rollback", "local", "--approve", "no-way-back").exit_code == 2


@pytest.mark.parametrize(("verb", "known"), VERBS)
def test_the_help_lists_the_same_gates(verb: str, known: tuple[gates.Approval, ...]) -> None:
    assert f"Give an approval: {', '.join(known)}." in said(verb, "--help").stdout


def test_every_gate_says_what_one_agrees_to() -> None:
    assert set(gates.MEANING) == set(gates.Approval)
    assert set(gates.ROTATE) | set(gates.RETIRE) | set(gates.ROLLBACK) == set(gates.Approval)
