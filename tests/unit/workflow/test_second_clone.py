"""Two clones of one env: names are equal in both, so a rotation carries what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import BLUE, Killed, World, instance, new_world
from rotations import bench

from rotator.commands.rotation import rotate
from rotator.errors import Blocked
from rotator.steps.base import Options
from rotator.workflow.journal import journal_from_json, journal_to_json
from rotator.workflow.stores import LocalStore

GREEN = f"{BLUE}-g1"


def cut_off(world: World, folder: Path, effect: str) -> None:
    """A rotation whose process dies right after that side effect."""
    real = world.effect

    def dies(name: str, do: object) -> object:
        found = real(name, do)  # type: ignore[arg-type]
        if name == effect:
            world.effect = real  # type: ignore[method-assign]
            raise Killed(name)
        return found

    world.effect = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rotate(bench(world, folder), Options())


def test_what_a_rotation_makes_carries_its_nonce(tmp_path: Path) -> None:
    world = new_world()
    rotate(bench(world, tmp_path), Options())
    record = LocalStore("shop", tmp_path).load().latest()
    assert record is not None
    nonce = record.rotation.nonce
    assert len(nonce) == 16
    made = [world.instances[GREEN].tags, *(s.tags for s in world.snapshots.values())]
    made.append(world.keys["arn:aws:kms:eu-central-1:123456789012:key/g1"].tags)
    assert [tags.get("rotator:nonce") for tags in made] == [nonce] * len(made)
    assert world.data[BLUE].lineage == world.data[GREEN].lineage == f"shop-g1-{nonce}"


def test_a_thing_with_our_names_and_another_nonce_is_somebody_else_s(tmp_path: Path) -> None:
    world = new_world()
    tags = {"rotator:env": "shop", "rotator:rotation": "shop-g1", "rotator:nonce": "another"}
    cut_off(world, tmp_path, "copy_snapshot")
    world.instances[GREEN] = instance(GREEN, None, tags, {})
    with pytest.raises(Blocked) as caught:
        rotate(bench(world, tmp_path), Options())
    assert "nonce another" in caught.value.what
    assert "journal" in caught.value.fix
    assert world.instances[GREEN].tags == tags


def test_a_rotation_that_an_older_version_began_goes_on_with_what_it_made(tmp_path: Path) -> None:
    world = new_world()
    cut_off(world, tmp_path, "fence")
    path = tmp_path / "journal.json"
    document = json.loads(path.read_text())
    del document["rotations"][0]["rotation"]["nonce"]
    path.write_text(json.dumps(document))
    loaded = journal_from_json(document)
    assert journal_from_json(journal_to_json(loaded)) == loaded
    for arn, key in world.keys.items():
        world.keys[arn] = replace(key, tags={k: v for k, v in key.tags.items() if k != "rotator:nonce"})
    world.data[BLUE].fenced_by = world.data[BLUE].lineage = "shop-g1"
    rotate(bench(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert "rotator:nonce" not in world.instances[GREEN].tags
