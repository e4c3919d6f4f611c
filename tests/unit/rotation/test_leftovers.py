"""Nothing of the tool stays behind on a database that it has left, and no leftover decides how long writes pause."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, Killed, World
from replicated import run, world_with_links
from rotations import phase, services
from test_replicate_in_memory import GREEN, killed_at

from rotator.commands.announce import undo_infos
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.status import status
from rotator.domain.database import Finding
from rotator.domain.errors import Blocked, DatabaseError, WaitingForApproval
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import CleanUpResult
from rotator.journal.step_record import Status, StepRecord
from rotator.report.status import render
from rotator.rotation.registry import last_steps, rollback_steps
from rotator.rotation.steps.context import Options


def back(world: World, folder: Path) -> Any:
    return rollback(services(world, folder, strategy="replicate"), Options(delete_snapshots=True))


def subscriptions(world: World) -> list[str]:
    return [stream.at for stream in world.replication.streams.values() if stream.subscribed]


def test_a_rollback_between_the_flip_and_the_way_back_leaves_no_subscription(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "record", after=True)
    back(world, tmp_path)
    assert subscriptions(world) == []
    assert not any(stream.slot for stream in world.replication.streams.values())
    assert JournalMemory(local_keeper("shop", tmp_path), "shop-g1").status("way-back") is Status.UNDONE


@pytest.mark.parametrize("after", [False, True])
def test_such_a_rollback_killed_anywhere_leaves_nothing_in_the_end(tmp_path: Path, after: bool) -> None:
    flipped = world_with_links()
    killed_at(flipped, tmp_path / "flipped", "record", after=True)
    for number in range(1, 12):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "flipped", folder)
        world = deepcopy(flipped)
        world.kill_at, world.kill_after = world.effects + number, after
        with pytest.raises(Killed):
            back(world, folder)
        world.expire_leases()
        back(world, folder)
        assert subscriptions(world) == [], number
        assert not any(stream.slot for stream in world.replication.streams.values()), number


def test_readers_in_the_way_are_waited_for_and_then_nothing_is_left(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.data[BLUE].held = 3
    back(world, tmp_path)
    assert world.data[BLUE].lineage is None
    assert status(services(world, tmp_path, strategy="replicate")).next_command == "rotator rotate shop"


def test_retire_waits_for_a_table_that_is_in_use(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.data[GREEN].held = 3
    retire(services(world, tmp_path, strategy="replicate"), Options())
    assert world.data[GREEN].lineage is None
    assert phase(tmp_path) is Phase.RETIRED


def test_retire_tells_what_its_patience_was_too_short_for_and_goes_on_when_run_again(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.data[GREEN].held = 1_000_000
    with pytest.raises(DatabaseError) as caught:
        retire(services(world, tmp_path, strategy="replicate"), Options())
    assert caught.value.code == "fence-leftovers"
    world.data[GREEN].held = 0
    retire(services(world, tmp_path, strategy="replicate"), Options())
    assert world.data[GREEN].lineage is None
    assert phase(tmp_path) is Phase.RETIRED


def test_what_could_not_be_removed_is_told_and_the_same_command_comes_back_for_it(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.data[BLUE].held = 1_000_000
    back(world, tmp_path)
    assert phase(tmp_path) is Phase.ROLLED_BACK
    found = status(services(world, tmp_path, strategy="replicate"))
    assert "shop.public.item" in render(found)
    assert found.next_command == "rotator rollback shop"
    world.data[BLUE].held = 0
    back(world, tmp_path)
    assert status(services(world, tmp_path, strategy="replicate")).next_command == "rotator rotate shop"
    with pytest.raises(Blocked):
        back(world, tmp_path)


LEVEL = Finding("wal-level", "wal_level is replica", "", "", blocks=True)
LEFT = Finding("own-leftover", "replication of an earlier rotation", "", "drop it", blocks=True)


def test_a_long_pause_is_asked_for_and_nothing_has_been_decided(tmp_path: Path) -> None:
    world = world_with_links()
    world.against_replicate = (LEVEL,)
    with pytest.raises(WaitingForApproval) as caught:
        rotate(services(world, tmp_path, strategy="auto"), Options())
    assert caught.value.code == "long-pause"
    assert any("wal_level" in line for line in caught.value.details)
    assert world.effects == 0
    world.against_replicate = ()  # mended meanwhile: no pause needs to be agreed to
    assert rotate(services(world, tmp_path, strategy="auto"), Options()).strategy == "replicate"


def test_agreed_to_once_the_same_rotation_goes_on_without_asking_again(tmp_path: Path) -> None:
    world = world_with_links()
    world.against_replicate = (LEVEL,)
    world.kill_at = 6
    with pytest.raises(Killed):
        rotate(services(world, tmp_path, strategy="auto"), Options(approvals=frozenset({"long-pause"})))
    assert rotate(services(world, tmp_path, strategy="auto"), Options()).strategy == "snapshot"


@pytest.mark.parametrize("approvals", [frozenset(), frozenset({"long-pause"})])
def test_leftovers_of_the_tools_own_never_make_the_pause_long(tmp_path: Path, approvals: frozenset[str]) -> None:
    world = world_with_links()
    world.against_replicate = (LEVEL, LEFT)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path, strategy="auto"), Options(approvals=approvals))
    assert caught.value.code == "own-leftover"
    assert "drop it" in caught.value.details[0]
    assert world.effects == 0


def test_what_an_earlier_rotation_left_is_removed_before_the_next_one_begins(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    back(world, tmp_path)
    stream = next(iter(world.replication.streams.values()))
    stream.subscribed, stream.at = True, BLUE  # as an older version left it
    memory = JournalMemory(local_keeper("shop", tmp_path), "shop-g1")
    memory.put("clean-up", StepRecord())
    world.fail = {"open": DatabaseError("nothing further")}
    with pytest.raises(DatabaseError):
        run(world, tmp_path)
    assert subscriptions(world) == []
    assert JournalMemory(local_keeper("shop", tmp_path), "shop-g1").result(CleanUpResult).left == ()


def test_the_strip_of_a_rollback_announces_the_clean_up(tmp_path: Path) -> None:
    """It is a step to take, not one to take back, so the journal has nothing of it before."""
    world = world_with_links()
    run(world, tmp_path)
    record = local_keeper("shop", tmp_path).load().rotations[-1]
    steps = (*rollback_steps(Strategy.REPLICATE), *last_steps())
    announced = undo_infos(record, steps)
    assert (announced[-1].name, announced[-1].title) == ("clean-up", "Leave nothing behind on blue")
    assert all(info.title.startswith("Take back: ") for info in announced[:-1])
