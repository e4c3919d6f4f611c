"""A rotation in memory with strategy replicate, for tests of any folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_channels import Replication
from fakes import World, new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.rotation.steps.context import Options


def world_with_links() -> World:
    world = new_world()
    world.replication = Replication()
    return world


def run(world: World, folder: Path, **rotation: Any) -> Any:
    return rotate(services(world, folder, strategy="replicate", **rotation), Options())
