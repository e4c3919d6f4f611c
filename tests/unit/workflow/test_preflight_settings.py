"""What preflight knows of blue's settings and of the record before anything is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import BLUE, World, new_world
from rotations import bench

from rotator.commands.rotation import rotate
from rotator.errors import Blocked
from rotator.steps.base import Options


def refused(world: World, tmp_path: Path) -> Blocked:
    with pytest.raises(Blocked) as caught:
        rotate(bench(world, tmp_path), Options())
    assert not world.applied, "nothing may be made"
    assert world.effects == 0
    return caught.value


def with_tags(world: World, count: int) -> None:
    tags = {f"tag-{number}": "x" for number in range(count)}
    world.instances[BLUE] = replace(world.instances[BLUE], tags=tags)


def test_more_tags_than_aws_allows_are_told_before_anything_is_made(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 50)
    found = refused(world, tmp_path)
    assert found.code == "too-many-tags"
    own = 4
    assert f"Remove {own} tags" in found.fix
    assert "rotator:rotation" in found.why


def test_as_many_tags_as_aws_allows_are_no_reason(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 46)
    rotate(bench(world, tmp_path), Options())
    assert len(world.instances[f"{BLUE}-g1"].tags) == 50


def test_tags_of_the_rotation_before_are_not_counted_twice(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 46)
    rotate(bench(world, tmp_path), Options())
    rotate(bench(world, tmp_path), Options())
    assert len(world.instances[f"{BLUE}-g2"].tags) == 50


def test_a_health_check_on_the_record_is_named(tmp_path: Path) -> None:
    world = new_world()
    world.record = replace(world.record, health_check="hc-1")
    found = refused(world, tmp_path)
    assert found.code == "record-health-check"
    assert "hc-1" in found.what
