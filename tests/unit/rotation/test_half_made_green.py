"""Green's apply fails although AWS goes on with it: its answer was lost and the request sent again, or Terraform died.

RDS refuses to modify an instance that is being made, and a half-made one lacks what Terraform sets afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, World, new_world
from replicated import world_with_links
from rotations import phase, services

from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.aws import Deployment
from rotator.domain.errors import TerraformError
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.copy.green import MAKING

GREEN = f"{BLUE}-g1"
ADDRESS = 'module.database["g1"].aws_db_instance.this'


def half_made(world: World, folder: Path, strategy: str, *, held: bool) -> None:
    """`held`: the state has it (marked as tainted)."""
    found = services(world, folder, strategy=strategy)
    real = found.stages.apply

    def cut_off(stage: Stage, *rest: Any) -> bool:
        done = real(stage, *rest)
        if stage is Stage.GREEN:
            world.instances[GREEN] = replace(world.instances[GREEN], status="creating", deletion_protection=True)
            if not held:
                world.state.discard(ADDRESS)
            raise TerraformError("DBInstanceAlreadyExists: DB instance already exists")
        return done

    found.stages.apply = cut_off  # type: ignore[method-assign]
    with pytest.raises(TerraformError):
        rotate(found, Options())


def patient(world: World, folder: Path, strategy: str) -> Services:
    """AWS needs a while; Terraform must not be asked to change the instance before that."""
    found = services(world, folder, strategy=strategy)
    passing, ends = ("creating", "backing-up", "modifying"), world.time + timedelta(seconds=90)
    look, real = found.rds.instance, found.stages.apply

    def instance(identifier: str) -> Deployment | None:
        seen = look(identifier)
        if seen is not None and identifier == GREEN:
            left = (ends - world.time) / timedelta(seconds=90)
            status = passing[int(3 * (1 - left))] if left > 0 else "available"
            world.instances[GREEN] = seen = replace(seen, status=status)
        return seen

    def apply(stage: Stage, *rest: Any) -> bool:
        made = instance(GREEN)
        assert made is None or made.status not in MAKING, "InvalidDBInstanceState"
        return real(stage, *rest)

    found.rds.instance = instance  # type: ignore[method-assign]
    found.stages.apply = apply  # type: ignore[method-assign]
    return found


@pytest.fixture(params=["snapshot", "replicate"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(strategy: str) -> World:
    return world_with_links() if strategy == "replicate" else new_world()


@pytest.mark.parametrize("held", [True, False])
def test_the_next_run_waits_for_it_and_goes_on_with_it(tmp_path: Path, held: bool) -> None:
    """Strategy replicate: with the other one an error opens blue again, and the rotation must be taken back (ADR 4)."""
    world = world_with_links()
    half_made(world, tmp_path, "replicate", held=held)
    rotate(patient(world, tmp_path, "replicate"), Options())
    assert phase(tmp_path) is Phase.SOAKING
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert world.both_writable == 0


@pytest.mark.parametrize("held", [True, False])
def test_a_rollback_waits_for_it_and_removes_it(tmp_path: Path, world: World, strategy: str, held: bool) -> None:
    half_made(world, tmp_path, strategy, held=held)
    rollback(patient(world, tmp_path, strategy), Options())
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert GREEN not in world.instances
    assert ADDRESS not in world.state
    assert world.write("on blue")
