"""Somebody who rotates, retires or rolls back and says that it was another: the journal knows who, where, and how."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import Killed
from replicated import run, world_with_links
from rotations import services

from rotator import __version__
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback
from rotator.commands.status import status
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import AwsError, DatabaseError, RotatorError
from rotator.journal.document import journal_from_json
from rotator.journal.local import local_keeper
from rotator.report.status import render
from rotator.report.summary import render_text, to_json
from rotator.rotation.steps.context import Options


class Silent:
    """An STS that a policy forbids, or that is not there."""

    def caller(self) -> None:
        raise AwsError("AccessDenied", why="explicit deny")


def runs(folder: Path) -> list[dict[str, object]]:
    return list(json.loads((folder / JOURNAL_FILE).read_text())["rotations"][-1]["runs"])


def test_each_command_that_changes_something_is_signed(tmp_path: Path) -> None:
    world = world_with_links()
    summary = run(world, tmp_path)
    (only,) = runs(tmp_path)
    assert only["verb"] == "rotate"
    assert str(only["who"]).endswith(":user/tester")
    assert "@" in str(only["place"])
    assert only["version"] == __version__
    assert str(only["who"]) in render_text(summary)
    assert str(only["who"]) in json.dumps(to_json(summary))
    rollback(services(world, tmp_path, strategy="replicate"), Options(delete_snapshots=True, lose_writes=True))
    assert [each["verb"] for each in runs(tmp_path)] == ["rotate", "rollback"]
    found = status(services(world, tmp_path, strategy="replicate"))
    assert len(found.runs) == len(found.to_json()["runs"]) == 2
    assert "rollback by arn:" in render(found)


def test_retire_is_signed_before_it_does_anything(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.kill_at = world.effects + 1
    with pytest.raises((Killed, RotatorError)):
        retire(services(world, tmp_path, strategy="replicate"), Options())
    assert runs(tmp_path)[-1]["verb"] == "retire"


def test_an_sts_that_does_not_answer_is_no_failure(tmp_path: Path) -> None:
    world = world_with_links()
    made = services(world, tmp_path, strategy="replicate")
    from rotator.commands.signed import sign  # noqa: PLC0415
    from rotator.journal.memory import JournalMemory  # noqa: PLC0415

    run(world, tmp_path)
    memory = JournalMemory(made.keeper, made.keeper.load().rotations[-1].rotation.id)
    sign(replace(made, identity=Silent()), memory, "retire")  # type: ignore[arg-type]
    assert memory.record.runs[-1].who == "unknown"


def test_a_command_that_is_polled_is_one_entry(tmp_path: Path) -> None:
    """A CI that asks every five minutes must not make the journal grow."""
    world = world_with_links()
    world.replication.refuse_window = "not in time"
    for _ in range(3):
        with pytest.raises(DatabaseError):
            run(world, tmp_path)
    assert [each["times"] for each in runs(tmp_path)] == [3]


def test_a_journal_of_before_has_none_and_one_that_is_garbled_is_damaged(tmp_path: Path) -> None:
    run(world_with_links(), tmp_path)
    document = json.loads((tmp_path / JOURNAL_FILE).read_text())
    document["rotations"][0].pop("runs")
    assert journal_from_json(document).rotations[0].runs == ()
    document["rotations"][0]["runs"] = [{"verb": 5}]
    with pytest.raises(RotatorError, match="cannot be read"):
        journal_from_json(document)
    assert local_keeper("shop", tmp_path).load().rotations[0].runs
