"""An apply that outlives its driver may flip the record at any moment: what is decided, is decided after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_channels import Replication
from fakes import BLUE, Killed, World, new_world
from rotations import phase, services

from rotator.commands.rotation import rollback, rotate
from rotator.domain.errors import Blocked, DatabaseError, RotatorError, TerraformError
from rotator.journal.document import Phase
from rotator.rotation.steps.context import Options

GREEN = f"{BLUE}-g1"
LOSE = Options(lose_writes=True)
STRATEGIES = pytest.mark.parametrize("strategy", ["snapshot", "replicate"])


def made(strategy: str) -> World:
    world = new_world()
    world.replication = Replication() if strategy == "replicate" else None
    return world


def dies_at(world: World, effect: str, *, after: bool) -> None:
    """The process dies at the next side effect of that name; the record's is its next flip."""
    real = world.effect

    def dying(name: str, do: Any) -> Any:
        here = name == effect and (effect != "record" or world.past_gate)
        if here:
            world.effect, world.past_gate = real, False  # type: ignore[method-assign]
        if here and not after:
            raise Killed(name)
        found = real(name, do)
        if here:
            raise Killed(name)
        return found

    world.effect = dying  # type: ignore[method-assign]


def killed(world: World, folder: Path, strategy: str, verb: Any, options: Options = Options()) -> None:  # noqa: B008
    with pytest.raises(Killed):
        verb(services(world, folder, strategy=strategy), options)
    world.expire_leases()


def rotated(tmp_path: Path, strategy: str) -> World:
    world = made(strategy)
    rotate(services(world, tmp_path, strategy=strategy), Options())
    return world


@STRATEGIES
def test_a_rollback_right_after_the_driver_died_waits_for_the_flip_that_is_still_tried(
    tmp_path: Path, strategy: str
) -> None:
    world = made(strategy)
    dies_at(world, "record", after=False)
    killed(world, tmp_path, strategy, rotate)
    world.outlives(GREEN)
    rollback(services(world, tmp_path, strategy=strategy), LOSE)
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("on blue")
    assert world.orphan is None
    # Strategy snapshot shuts what serves twice, as it must: blue before the snapshot, green at the gate.
    assert (world.both_writable, world.shut_while_serving) == (0, 0 if strategy == "replicate" else 2)
    assert phase(tmp_path) is Phase.ROLLED_BACK


@STRATEGIES
def test_a_second_rollback_does_not_shut_a_blue_that_serves_again(tmp_path: Path, strategy: str) -> None:
    world = rotated(tmp_path, strategy)
    assert world.write("on green")
    dies_at(world, "record", after=False)
    killed(world, tmp_path, strategy, rollback, LOSE)
    world.outlives(BLUE)
    shut = world.shut_while_serving
    rollback(services(world, tmp_path, strategy=strategy), LOSE)
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.shut_while_serving == shut
    assert world.both_writable == 0
    assert world.write("on blue")
    assert strategy == "snapshot" or "on green" in world.serving_rows()


@pytest.mark.parametrize("fault", [TerraformError("the flip failed"), Blocked("a check failed"), KeyboardInterrupt()])
def test_a_flip_back_that_failed_leaves_green_open(tmp_path: Path, fault: Exception) -> None:
    world = rotated(tmp_path, "snapshot")
    world.fail["record"] = fault
    with pytest.raises(RotatorError):
        rollback(services(world, tmp_path, strategy="snapshot"), LOSE)
    world.past_gate = False
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert world.write("still on green")
    assert world.data[BLUE].fenced_by is not None
    assert world.both_writable == 0
    rollback(services(world, tmp_path, strategy="snapshot"), LOSE)


def test_killed_after_green_was_shut_the_next_rollback_opens_it_first(tmp_path: Path) -> None:
    world = rotated(tmp_path, "snapshot")
    dies_at(world, "record", after=False)
    killed(world, tmp_path, "snapshot", rollback, LOSE)
    assert not world.write("refused")
    found = services(world, tmp_path, strategy="snapshot")
    real = found.stages.apply_through_gate
    writes: list[bool] = []

    def gate(*args: Any) -> bool:
        writes.append(world.write("while it goes on"))
        return real(*args)

    found.stages.apply_through_gate = gate  # type: ignore[method-assign]
    rollback(found, LOSE)
    assert writes == [True]


def test_an_apply_that_still_works_after_a_failed_flip_back_is_waited_for(tmp_path: Path) -> None:
    world = rotated(tmp_path, "snapshot")
    found = services(world, tmp_path, strategy="snapshot")
    real = found.stages.apply_through_gate
    world.fail["record"] = TerraformError("the flip failed")

    def gate(*args: Any) -> bool:
        try:
            return real(*args)
        except TerraformError:
            world.outlives(BLUE)
            raise

    found.stages.apply_through_gate = gate  # type: ignore[method-assign]
    with pytest.raises(TerraformError):
        rollback(found, LOSE)
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.data[GREEN].fenced_by is not None, "the name has left it: nobody's writes may go there"
    rollback(services(world, tmp_path, strategy="snapshot"), LOSE)
    assert world.write("on blue")


def test_two_open_servers_are_left_as_they_are(tmp_path: Path) -> None:
    world = rotated(tmp_path, "replicate")
    world.data[BLUE].fenced_by = None
    world.record = replace(world.record, values=(str(world.instances[BLUE].address),))
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert caught.value.code == "not-fenced"
    assert world.data[BLUE].fenced_by is None
    assert world.shut_while_serving == 0


@pytest.mark.parametrize("refusal", ["window", "way back"])
def test_a_window_back_that_is_given_up_leaves_green_open(tmp_path: Path, refusal: str) -> None:
    world = rotated(tmp_path, "replicate")
    if refusal == "window":
        world.replication.refuse_window = "too late"
    else:
        world.fail["close"] = DatabaseError("no connection")
    with pytest.raises(DatabaseError):
        rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert world.write("still on green")
