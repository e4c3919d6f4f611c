"""A rotation that an earlier version began is finished, or taken back, by this one.

`journals/under_way/VERB-STRATEGY-EFFECT-N.json` are journals of the version before results of steps were typed, as it
left them when it was killed before the Nth EFFECT of its in-memory world. This version's world is brought to the same
place, and gets that journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_channels import Replication
from fakes import BLUE, Killed, World, new_world
from rotations import phase, services

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.domain.aws import Record
from rotator.journal.document import Phase
from rotator.rotation.steps.context import Options

FILES = sorted((Path(__file__).parent / "journals" / "under_way").glob("*.json"))
ROTATING = [file for file in FILES if file.name.startswith("rotate-")]


@dataclass
class Place:
    """Where a run is killed: before the Nth effect of that name."""

    effect: str
    left: int

    def reached(self, name: str) -> bool:
        self.left -= name == self.effect
        return self.left == 0 and name == self.effect


class KilledAt(World):
    """A world that dies at a place, once."""

    place: Place | None = None

    def effect(self, name: str, do: Any) -> Any:
        if self.place is not None and self.place.reached(name):
            self.place = None
            raise Killed(name)
        return super().effect(name, do)


def brought_to(file: Path, folder: Path) -> tuple[World, str]:
    """The world where the earlier version was killed, with that version's journal; and its strategy."""
    verb, strategy, effect, count = file.stem.split("-")
    world = new_world()
    world.__class__ = KilledAt
    world.place = Place(effect, int(count))  # type: ignore[attr-defined]
    world.replication = Replication() if strategy == "replicate" else None
    with pytest.raises(Killed):
        _rotate_and_retire(world, folder, strategy)
    (folder / "journal.json").write_text(file.read_text())
    assert phase(folder) is (Phase.RETIRING if verb == "retire" else Phase.ROTATING)
    return world, strategy


def _rotate_and_retire(world: World, folder: Path, strategy: str) -> None:
    rotate(services(world, folder, strategy=strategy), Options())
    retire(services(world, folder, strategy=strategy), Options())


def target(record: Record) -> str:
    return record.values[0].split(".")[0]


def test_there_are_journals_of_both_strategies_and_verbs() -> None:
    assert {tuple(file.stem.split("-")[:2]) for file in FILES} == {
        (verb, strategy) for verb in ("rotate", "retire") for strategy in ("snapshot", "replicate")
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_goes_on_to_its_end(file: Path, tmp_path: Path) -> None:
    world, strategy = brought_to(file, tmp_path)
    if phase(tmp_path) is Phase.ROTATING:
        rotate(services(world, tmp_path, strategy=strategy), Options())
    retire(services(world, tmp_path, strategy=strategy), Options())
    assert phase(tmp_path) is Phase.RETIRED
    assert (target(world.record), world.both_writable) == ("shop-db-g1", 0)
    assert BLUE not in world.instances
    before, after = json.loads(file.read_text()), json.loads((tmp_path / "journal.json").read_text())
    assert set(before["rotations"][0]["steps"]) <= set(after["rotations"][0]["steps"])
    assert before["rotations"][0]["started"] == after["rotations"][0]["started"]


@pytest.mark.parametrize("file", ROTATING, ids=lambda file: file.stem)
def test_it_is_taken_back(file: Path, tmp_path: Path) -> None:
    world, strategy = brought_to(file, tmp_path)
    rollback(services(world, tmp_path, strategy=strategy), Options(lose_writes=True))
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert (target(world.record), world.both_writable) == (BLUE, 0)
    assert world.data[BLUE].fenced_by is None
