"""A retirement that was cut off: whether there is a way back is decided by the world, not by a step's status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, Killed, World, new_world
from rotations import phase, services

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.domain.errors import Blocked
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

LOSE = Options(lose_writes=True)


def cut_off(tmp_path: Path, *, lifted: bool = False, protected: bool = True) -> World:
    """A rotation whose retirement died in `unprotect`, before (or after) blue's protection was lifted."""
    world = new_world()
    world.instances[BLUE] = replace(world.instances[BLUE], deletion_protection=protected)
    rotate(services(world, tmp_path), Options())
    found = services(world, tmp_path)
    real = found.stages.apply

    def dies(stage: Stage, before: Any, after: Any, write: Any, *rest: Any) -> bool:
        if stage is not Stage.UNPROTECT:
            return real(stage, before, after, write, *rest)
        write(after)
        if lifted:
            world.instances[BLUE] = replace(world.instances[BLUE], deletion_protection=False)
        raise Killed("in unprotect")

    found.stages.apply = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        retire(found, Options())
    return world


@pytest.mark.parametrize("protected", [True, False])
def test_an_intent_alone_does_not_close_the_way_back(tmp_path: Path, protected: bool) -> None:
    world = cut_off(tmp_path, protected=protected)
    rollback(services(world, tmp_path), LOSE)
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("on blue")
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    blue = root.generations["g0"].database
    assert blue is not None
    assert (blue.deletion_protection, blue.skip_final_snapshot) == (protected, False)
    assert Stage.ROLLBACK_UNPROTECT in world.applied
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g2.")


def test_the_retirement_may_go_on_as_well(tmp_path: Path) -> None:
    world = cut_off(tmp_path)
    retire(services(world, tmp_path), Options())
    assert BLUE not in world.instances


@pytest.mark.parametrize("world_says", ["lifted", "deleting", "gone", "not in the state"])
def test_what_the_world_shows_closes_it(tmp_path: Path, world_says: str) -> None:
    world = cut_off(tmp_path, lifted=world_says == "lifted")
    if world_says == "deleting":
        world.instances[BLUE] = replace(world.instances[BLUE], status="deleting")
    if world_says == "gone":
        del world.instances[BLUE]
    if world_says == "not in the state":
        world.state.discard('module.database["g0"].aws_db_instance.this')
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path), LOSE)
    assert caught.value.code == "already-retired"
    assert phase(tmp_path) is Phase.RETIRING
