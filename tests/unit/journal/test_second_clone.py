"""Two clones of one env: names are equal in both, so a rotation carries what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_channels import Replication
from fakes import BLUE, Killed, World, instance, new_world
from rotations import phase, services

from rotator.commands.plan import plan
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.status import status
from rotator.domain.errors import Blocked
from rotator.journal.document import Phase, journal_from_json, journal_to_json
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

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
        rotate(services(world, folder), Options())


def test_what_a_rotation_makes_carries_its_nonce(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    record = local_keeper("shop", tmp_path).load().latest()
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
    real = world.effect

    def meanwhile(name: str, do: Any) -> Any:
        if name == "copy_snapshot":
            world.instances[GREEN] = instance(GREEN, None, tags, {})
        return real(name, do)

    world.effect = meanwhile  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
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
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert "rotator:nonce" not in world.instances[GREEN].tags


VERBS: tuple[Callable[..., Any], ...] = (
    lambda found: rotate(found, Options()),
    lambda found: retire(found, Options()),
    lambda found: rollback(found, Options(lose_writes=True)),
    plan,
)


def photo(world: World) -> Any:
    """Everything that a clone could harm."""
    fences = {name: data.fenced_by for name, data in world.data.items()}
    return world.record, dict(world.instances), set(world.snapshots), fences, dict(world.keys)


@pytest.mark.parametrize("moment", ["create_key", "fence", "restore", "the end"])
def test_a_second_clone_without_the_journal_touches_nothing(tmp_path: Path, moment: str) -> None:
    world, first, second = new_world(), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    if moment == "the end":
        rotate(services(world, first), Options())
    else:
        cut_off(world, first, moment)
    before = photo(world)
    for verb in VERBS:
        with pytest.raises(Blocked) as caught:
            verb(services(world, second))
        assert caught.value.code == "journal-missing"
        assert "change neither the DNS record" in caught.value.fix
    assert photo(world) == before
    assert not (second / "journal.json").exists()
    found = status(services(world, second))
    assert found.phase == "the journal is missing"
    assert found.next_command.startswith("restore the journal")


@pytest.mark.parametrize("left", ["terraform.tfstate", "generations.auto.tfvars.json"])
def test_files_of_terraform_without_a_journal_are_enough(tmp_path: Path, left: str) -> None:
    world, folder = new_world(), tmp_path
    rotate(services(world, folder), Options())
    data = (folder / "generations.auto.tfvars.json").read_text()
    for name in ("journal.json", "generations.auto.tfvars.json"):
        (folder / name).unlink()
    text = data if left.startswith("generations") else '{"version": 4, "resources": [{"type": "aws_db_instance"}]}'
    (folder / left).write_text(text)
    with pytest.raises(Blocked) as caught:
        rotate(services(new_world(), folder), Options())
    assert caught.value.code == "journal-missing"
    assert left in caught.value.details[0]


def test_data_that_a_killed_look_left_is_no_rotation(tmp_path: Path) -> None:
    text = '{"generations": {"g0": {}}, "imports": {"databases": {"g0": "shop-db"}}}'
    (tmp_path / "generations.auto.tfvars.json").write_text(text)
    rotate(services(new_world(), tmp_path), Options())


@pytest.mark.parametrize("strategy", ["snapshot", "replicate"])
@pytest.mark.parametrize("age", ["create_key", "create_snapshot", "restore", "subscribe"])
def test_a_second_clone_with_an_older_journal_touches_nothing(tmp_path: Path, strategy: str, age: str) -> None:
    world, first, second = new_world(), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    world.replication = Replication() if strategy == "replicate" else None
    if age == "subscribe" and strategy == "snapshot":
        return
    real = world.effect

    def copies(name: str, do: Any) -> Any:
        if name == age and not second.exists():
            shutil.copytree(first, second)
        return real(name, do)

    world.effect = copies  # type: ignore[method-assign]
    rotate(services(world, first, strategy=strategy), Options())
    assert world.write("acknowledged by green")
    before = photo(world)
    for verb in VERBS[:1] + VERBS[2:3]:
        with pytest.raises(Blocked) as caught:
            verb(services(world, second, strategy=strategy))
        assert caught.value.code == "journal-behind"
    assert photo(world) == before
    rollback(services(world, first, strategy=strategy), Options(lose_writes=True))
    assert phase(first) is Phase.ROLLED_BACK
    assert strategy == "snapshot" or "acknowledged by green" in world.serving_rows()


def test_a_second_clone_with_a_journal_of_the_rotation_before_touches_nothing(tmp_path: Path) -> None:
    world, first, second = new_world(), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    rotate(services(world, first), Options())
    shutil.copytree(first, second)
    retire(services(world, first), Options())
    rotate(services(world, first), Options())
    before = photo(world)
    for verb in VERBS:
        with pytest.raises(Blocked) as caught:
            verb(services(world, second))
        assert caught.value.code == "journal-behind"
        assert "shop-g2" in caught.value.details[0]
    assert photo(world) == before


def test_before_the_flip_an_older_journal_makes_nothing_twice(tmp_path: Path) -> None:
    world, first, second = new_world(), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    real = world.effect

    def copies(name: str, do: Any) -> Any:
        if name == "fence" and not second.exists():
            shutil.copytree(first, second)
        return real(name, do)

    world.effect = copies  # type: ignore[method-assign]
    cut_off(world, first, "copy_snapshot")
    with pytest.raises(Blocked) as caught:
        rotate(services(world, second), Options())
    assert caught.value.code == "journal-behind"


def test_another_env_of_that_name_with_another_database_is_no_evidence(tmp_path: Path) -> None:
    world = new_world()
    tags = {"rotator:env": "shop", "rotator:rotation": "shop-g1", "rotator:nonce": "another"}
    world.instances["billing-g1"] = instance("billing-g1", None, tags, {})
    rotate(services(world, tmp_path), Options())
    assert phase(tmp_path) is Phase.SOAKING
