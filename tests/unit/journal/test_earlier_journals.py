"""Journals of every earlier form are read, and written back without a loss; those of later versions keep what is new.

`journals/` has some of each: `first` before old keys were kept disabled, `second` before ranges of keys left the
journal, `third` before results of steps were typed. They come from rotations in memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.errors import Blocked
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase, journal_from_json, journal_to_json
from rotator.journal.results import KINDS, CutoverResult, KeyResult, Result, ValidateResult
from rotator.journal.results_retire import kind_of
from rotator.rotation.registry import last_steps, retire_steps, rotation_steps

FILES = sorted((Path(__file__).parent / "journals").glob("*.json"))


def outputs(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each step has recorded, as stored; an explicit null says no more than nothing."""
    steps = document["rotations"][0]["steps"]
    return {name: {k: v for k, v in step["outputs"].items() if v is not None} for name, step in steps.items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_journal_of_an_earlier_form_is_read_and_loses_nothing(file: Path) -> None:
    document = json.loads(file.read_text())
    journal = journal_from_json(document)
    record = journal.rotations[0]
    assert record.phase in Phase
    assert {name for name, step in record.steps.items() if type(step.result) is Result} <= set()
    assert record.result(KeyResult).key_arn == document["rotations"][0]["steps"]["key"]["outputs"]["key_arn"]
    assert outputs(json.loads(json.dumps(journal_to_json(journal)))) == outputs(document)


def test_there_are_journals_of_each_form() -> None:
    assert {file.stem.split("-")[0] for file in FILES} == {"first", "second", "third"}


@pytest.fixture
def document() -> dict[str, Any]:
    file = next(file for file in FILES if file.stem == "third-retired-replicate")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_fields_and_steps_of_another_version_are_kept(document: dict[str, Any]) -> None:
    steps = document["rotations"][0]["steps"]
    steps["cutover"]["outputs"]["moon"] = {"phase": "full"}
    steps["observer"] = {**steps["soak"], "outputs": {"seen": [1, 2]}}
    journal = journal_from_json(document)
    assert journal.rotations[0].result(CutoverResult).applied is True
    assert outputs(json.loads(json.dumps(journal_to_json(journal)))) == outputs(document)


def test_a_journal_with_fewer_fields_is_read(document: dict[str, Any]) -> None:
    for step in document["rotations"][0]["steps"].values():
        step["outputs"] = {}
    journal = journal_from_json(document)
    assert all(step.result.empty for step in journal.rotations[0].steps.values())


@pytest.mark.parametrize(("step", "field", "value"), [("cutover", "applied", "yes"), ("validate", "tables", "many")])
def test_a_field_of_the_wrong_type_is_a_damaged_journal(
    document: dict[str, Any], step: str, field: str, value: object
) -> None:
    document["rotations"][0]["steps"][step]["outputs"][field] = value
    with pytest.raises(Blocked, match="cannot be read") as refused:
        journal_from_json(document)
    assert field in refused.value.why


def test_every_step_has_a_kind_of_result_of_its_own_name() -> None:
    every = (*(step for each in Strategy for step in (*rotation_steps(each), *retire_steps(each))), *last_steps())
    ours = {step for step, kind in KINDS.items() if kind.__module__.startswith("rotator.")}
    assert {step.name for step in every} == ours
    assert all(step.records is kind_of(step.name) for step in every)


def test_a_result_is_empty_until_something_is_noted() -> None:
    assert ValidateResult().empty
    assert not ValidateResult(compared=False).empty
    assert not Result(more={"x": 1}).empty
