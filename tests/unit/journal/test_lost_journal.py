"""A journal that is lost for good: the runbook's way out, step by step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, World, new_world
from rotations import services

from rotator.commands.known import refuse_unknown
from rotator.commands.retirement import retire
from rotator.commands.rotation import rotate
from rotator.commands.services import Services
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.domain.errors import Blocked
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

SERVES = f"{BLUE}-g1"


def without_marks(thing: Any) -> Any:
    return replace(thing, tags={name: value for name, value in thing.tags.items() if name != "rotator:env"})


def take_tags_off(world: World) -> None:
    """As the refusal names them: instances and snapshots."""
    for things in (world.instances, world.snapshots, world.keys):
        for name, thing in list(things.items()):
            things[name] = without_marks(thing)  # type: ignore[index]


def rename_key(world: World) -> None:
    """The world in memory calls keys by their generation, and g1 comes again: the lost one's gets a name of its own."""
    old = "arn:aws:kms:eu-central-1:123456789012:key/g1"
    new = f"{old}-lost"
    world.keys[new] = replace(world.keys.pop(old), arn=new, key_id="g1-lost")
    for name, found in world.instances.items():
        world.instances[name] = replace(found, kms_key_arn=new if found.kms_key_arn == old else found.kms_key_arn)


def afresh(world: World, folder: Path, name: str) -> Services:
    """rotation.toml says what serves, and another alias for keys; `name` is the env's folder."""
    found = services(world, folder)
    # Not adopted: the world in memory knows one key that can be.
    document = found.env.config.model_dump(exclude_unset=True)
    document["database"]["identifier"] = SERVES
    document["key"] = {**document.get("key", {}), "alias": "alias/afresh", "adopt": False}
    config = type(found.env.config).model_validate(document)
    env = found.env.model_copy(update={"config": config, "name": name})
    return replace(found, env=env, keeper=local_keeper(name, folder))


@pytest.mark.parametrize("retired", [False, True])
@pytest.mark.parametrize("way", ["tags", "name"])
def test_what_serves_is_adopted_and_rotated_afresh(tmp_path: Path, way: str, *, retired: bool) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    if retired:
        retire(services(world, tmp_path), Options())
    for file in (tmp_path / JOURNAL_FILE, tmp_path / DATA_FILE):
        file.unlink()
    world.state.clear()
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert caught.value.code == "journal-missing"
    assert "A lost journal" in caught.value.fix
    rename_key(world)
    if way == "tags":
        take_tags_off(world)
    name = "shop" if way == "tags" else "shop-afresh"
    refuse_unknown(afresh(world, tmp_path, name), local_keeper(name, tmp_path).load())
    rotate(afresh(world, tmp_path, name), Options())
    latest = local_keeper(name, tmp_path).load().latest()
    assert latest is not None
    assert latest.phase is Phase.SOAKING
    assert world.record.values[0].startswith(f"{SERVES}-g1.")
    assert world.both_writable == 0
