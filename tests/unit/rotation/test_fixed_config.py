"""A rotation.toml that is changed in the middle is refused, with the difference, by every verb that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_world import World, new_world
from rotations import services

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import Blocked, RotatorError
from rotator.rotation.steps.context import Options


def changed(found: Services, table: str, **values: Any) -> Services:
    section = getattr(found.env.config, table).model_copy(update=values)
    config = found.env.config.model_copy(update={table: section})
    return replace(found, env=found.env.model_copy(update={"config": config}))


def begun(tmp_path: Path) -> World:
    """Cut off before the fence."""
    world = new_world()
    world.fail["fence"] = RotatorError("cut off")
    with pytest.raises(RotatorError, match="cut off"):
        rotate(services(world, tmp_path), Options())
    return world


@pytest.mark.parametrize("verb", [rotate, rollback])
@pytest.mark.parametrize(
    ("table", "values", "words"),
    [
        ("dns", {"record": "other.example.internal"}, "[dns] record: 'db.example.internal' when the rotation began"),
        ("dns", {"zone": "internal"}, "[dns] zone: 'example.internal' when the rotation began"),
        ("key", {"alias": "alias/other"}, "[key] alias: 'alias/shop-db' when the rotation began, 'alias/other' now"),
        ("aws", {"region": "eu-west-1"}, "[aws] region: 'eu-central-1' when the rotation began, 'eu-west-1' now"),
    ],
)
def test_it_is_refused(
    verb: Callable[..., Any], table: str, values: dict[str, str], words: str, tmp_path: Path
) -> None:
    world = begun(tmp_path)
    effects = world.effects
    with pytest.raises(Blocked) as refused:
        verb(changed(services(world, tmp_path), table, **values), Options())
    assert refused.value.code == "config-changed"
    assert words in refused.value.what
    assert world.effects == effects
    verb(services(world, tmp_path), Options())


def test_retire_is_refused_too(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    with pytest.raises(Blocked) as refused:
        retire(changed(services(world, tmp_path), "key", alias="alias/other"), Options())
    assert refused.value.code == "config-changed"


def test_budgets_may_change_at_any_time(tmp_path: Path) -> None:
    world = begun(tmp_path)
    rotate(changed(services(world, tmp_path), "cutover", fence=9.0), Options())


def test_a_rotation_of_an_older_version_goes_on(tmp_path: Path) -> None:
    world = begun(tmp_path)
    file = tmp_path / JOURNAL_FILE
    document = json.loads(file.read_text())
    del document["rotations"][-1]["fixed"]
    file.write_text(json.dumps(document))
    rotate(services(world, tmp_path), Options())
