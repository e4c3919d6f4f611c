"""Green is shut from the moment it answers, and what is written past a fence is found before a flip, there and back."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, Data, Killed, World
from replicated import run, world_with_links
from rotations import services
from test_replicate_in_memory import GREEN, assert_rotated, killed_at

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.domain.errors import Blocked, DatabaseError, WaitingForApproval
from rotator.domain.root import Stage
from rotator.journal.local import local_keeper
from rotator.journal.memory import JournalMemory
from rotator.journal.results import CutoverResult
from rotator.journal.step_record import Status, StepRecord
from rotator.rotation.steps.context import Options


def back(world: World, folder: Path, **options: Any) -> Any:
    return rollback(services(world, folder, strategy="replicate"), Options(delete_snapshots=True, **options))


def by_hand(data: Data, row: str) -> None:
    """Somebody with all rights, past the fence."""
    data.touched += 1
    data.rows[0] = row


def stopped_before_the_flip(folder: Path) -> World:
    world = world_with_links()
    world.replication.refuse_window = "green does not have all of blue's changes in time"
    with pytest.raises(DatabaseError):
        run(world, folder)
    world.replication.refuse_window = ""
    return world


def test_green_is_shut_while_the_apply_that_makes_it_is_still_at_work(tmp_path: Path) -> None:
    world = world_with_links()
    names: list[str] = []
    real = world.effect
    world.effect = lambda what, do: (names.append(what), real(what, do))[1]  # type: ignore[method-assign]
    run(world, tmp_path)
    after = names[names.index("restore") + 1 :]
    assert after[0] == "quarantine"


@pytest.mark.parametrize("after", [False, True])
def test_a_green_that_a_killed_run_left_open_is_shut_first_of_all(tmp_path: Path, after: bool) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "restore", after=True)
    if after:  # that run, too, dies as soon as it has shut it
        world.kill_at, world.kill_after = world.effects + 1, True
        with pytest.raises(Killed):
            run(world, tmp_path)
    bench_ = services(world, tmp_path, strategy="replicate")
    real = bench_.stages.apply

    seen: list[Stage] = []

    def apply(stage: Stage, *args: Any) -> bool:
        seen.append(stage)
        assert len(seen) > 1 or world.data[GREEN].fenced_by is not None
        return real(stage, *args)

    bench_.stages.apply = apply  # type: ignore[method-assign]
    rotate(bench_, Options())
    assert_rotated(world)


def test_what_was_written_on_green_before_it_was_shut_is_seen_by_validate(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "restore", after=True)
    world.data[GREEN].rows[0] = "by a job on green"
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "validate-contents"


@pytest.mark.parametrize("changed", [False, True])
def test_a_fence_that_was_taken_off_after_validate_has_everything_compared_anew(tmp_path: Path, changed: bool) -> None:
    world = stopped_before_the_flip(tmp_path)
    by_hand(world.data[GREEN], "by hand" if changed else world.data[GREEN].rows[0])
    if not changed:
        run(world, tmp_path)
        assert_rotated(world)
        return
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "validate-contents"
    assert world.write("blue serves")


def test_one_that_is_taken_off_inside_the_window_stops_the_flip_and_the_next_run_compares(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.touch_in_window = True
    with pytest.raises(DatabaseError) as caught:
        run(world, tmp_path)
    assert caught.value.code == "target-touched"
    assert world.write("blue serves")
    with pytest.raises(Blocked) as again:
        run(world, tmp_path)
    assert again.value.code == "validate-contents"


def test_blue_written_to_past_its_fence_in_the_soak_is_found_before_the_flip_back(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    by_hand(world.data[BLUE], "by hand")
    with pytest.raises(Blocked) as caught:
        back(world, tmp_path)
    assert caught.value.code == "blue-touched"
    assert any("disable trigger rotator_fence" in line for line in caught.value.details)
    assert "rotator rollback shop --confirm shop" in caught.value.fix
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert world.write("green serves")


def test_with_nothing_noted_of_blue_all_of_it_is_compared_before_the_flip_back(tmp_path: Path) -> None:
    for differs in (False, True):
        folder = tmp_path / str(differs)
        folder.mkdir()
        world = world_with_links()
        run(world, folder)
        memory = JournalMemory(local_keeper("shop", folder), "shop-g1")
        memory.note(CutoverResult, partial(replace, imprint=None))  # a journal of an older version
        if not differs:
            back(world, folder)
            assert world.write("on blue again")
            continue
        world.data[BLUE].rows[0] = "by hand"
        with pytest.raises(Blocked):
            back(world, folder)


def test_blue_written_to_past_its_fence_in_the_soak_is_not_deleted_unasked(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    by_hand(world.data[BLUE], "by hand")  # and the fence is on again
    with pytest.raises(WaitingForApproval) as caught:
        retire(services(world, tmp_path, strategy="replicate"), Options())
    assert "shop.public.item was changed" in caught.value.what
    assert "--approve blue-touched" in caught.value.fix
    assert BLUE in world.instances
    retire(services(world, tmp_path, strategy="replicate"), Options(approvals=frozenset({"blue-touched"})))
    assert BLUE not in world.instances


def test_what_retire_itself_changes_on_blue_is_not_taken_for_a_write(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    memory = JournalMemory(local_keeper("shop", tmp_path), "shop-g1")
    memory.put("close-way-back", StepRecord(Status.INTENDED))  # and was killed
    world.data[BLUE].touched += 1
    retire(services(world, tmp_path, strategy="replicate"), Options())
    assert BLUE not in world.instances


def test_a_touched_blue_gives_way_to_the_consent_to_lose_writes(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    before = deepcopy(world.data[GREEN].rows)
    by_hand(world.data[BLUE], "by hand")
    back(world, tmp_path, lose_writes=True)
    assert world.write("on blue again")
    assert before
