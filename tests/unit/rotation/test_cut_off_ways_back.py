"""A flip, there or back, cut off at any place: no acknowledged write is lost, and somebody takes them at all times."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, Killed, World
from replicated import run, world_with_links
from rotations import services
from test_names_in_memory import clinging
from test_outlived_applies import dies_at, killed
from test_replicate_in_memory import GREEN, assert_rotated

from rotator.commands.rotation import rollback, rotate
from rotator.domain.errors import Blocked, DatabaseError, DatabaseUnreachable, RotatorError, TerraformError
from rotator.journal.local import local_keeper
from rotator.journal.memory import JournalMemory
from rotator.journal.results import CutoverResult
from rotator.rotation.steps.context import Options


def back(world: World, folder: Path, **options: Any) -> Any:
    return rollback(services(world, folder, strategy="replicate"), Options(delete_snapshots=True, **options))


def rotated(folder: Path) -> World:
    world = world_with_links()
    run(world, folder)
    assert world.write("on green")
    return world


def memory(folder: Path) -> JournalMemory:
    return JournalMemory(local_keeper("shop", folder), "shop-g1")


def assert_back(world: World, *rows: str) -> None:
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("at the end")
    assert set(rows) <= set(world.serving_rows())
    assert len(world.serving_rows()) == len(set(world.serving_rows()))
    assert world.both_writable == 0
    assert world.data[BLUE].fenced_by is None


# --- after the window back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose", [False, True])
@pytest.mark.parametrize("fault", [TerraformError("throttled"), Blocked("a check failed"), KeyboardInterrupt()])
def test_what_blue_has_acknowledged_since_the_window_is_never_cut_off(
    tmp_path: Path, fault: Exception, lose: bool
) -> None:
    world = rotated(tmp_path)
    for _ in range(2):
        world.fail["record"] = fault
        with pytest.raises(RotatorError) as caught:
            back(world, tmp_path, lose_writes=lose)
        world.past_gate = False
        assert world.data[BLUE].fenced_by is None
        assert world.data[GREEN].fenced_by is not None
        if not isinstance(fault, KeyboardInterrupt):
            assert any("moves the record" in line for line in caught.value.details), caught.value.details
        world.data[BLUE].rows.append(f"by one whose resolver answers blue {len(world.data[BLUE].rows)}")
    rows = tuple(world.data[BLUE].rows)
    back(world, tmp_path)
    assert_back(world, "on green", *rows)
    assert world.replication.windows == [BLUE, GREEN]


@pytest.mark.parametrize("effect", ["open green", "record"])
def test_killed_after_the_window_only_the_record_is_left_to_do(tmp_path: Path, effect: str) -> None:
    world = rotated(tmp_path)
    dies_at(world, effect, after=effect == "open green")
    killed(world, tmp_path, "replicate", lambda found, _: rollback(found, Options(delete_snapshots=True)))
    world.data[BLUE].rows.append("acknowledged on blue")
    shut = world.shut_while_serving
    back(world, tmp_path)
    assert_back(world, "on green", "acknowledged on blue")
    assert world.shut_while_serving == shut
    assert world.replication.windows == [BLUE, GREEN]


def test_a_record_that_people_put_on_blue_then_is_followed(tmp_path: Path) -> None:
    world = rotated(tmp_path)
    world.fail["record"] = TerraformError("not allowed")
    with pytest.raises(TerraformError):
        back(world, tmp_path)
    world.past_gate = False
    world.record = replace(world.record, values=(str(world.instances[BLUE].address),))
    assert world.write("by hand on blue")
    back(world, tmp_path)
    assert_back(world, "on green", "by hand on blue")


def test_a_way_back_that_is_closed_by_then_keeps_nobody_from_moving_the_record(tmp_path: Path) -> None:
    world = rotated(tmp_path)
    world.fail["record"] = TerraformError("not allowed")
    with pytest.raises(TerraformError):
        back(world, tmp_path)
    world.past_gate = False
    world.replication.foreign_subscriptions = ("somebody's subscription",)
    back(world, tmp_path)
    assert_back(world, "on green")


# --- a fence with a lease ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [False, True])
def test_what_green_holds_behind_a_fence_with_a_lease_is_carried_back(tmp_path: Path, over: bool) -> None:
    world = rotated(tmp_path)
    world.record = replace(world.record, values=(str(world.instances[BLUE].address),))
    real = world.effect

    def dying(name: str, do: Any) -> Any:
        if name == "close":  # an application's last write on green has not flowed yet
            world.data[GREEN].rows.append("just before the fence")
        found = real(name, do)
        if name == "close":
            world.effect = real  # type: ignore[method-assign]
            raise Killed(name)
        return found

    world.effect = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        back(world, tmp_path)
    assert world.data[GREEN].leased
    if over:
        world.expire_leases()
    back(world, tmp_path)
    assert_back(world, "on green", "just before the fence")


# --- killed around go, on the way there -------------------------------------------------------------------------------


@pytest.mark.parametrize("tried_before", [False, True])
def test_killed_before_go_a_rollback_opens_blue_at_once(tmp_path: Path, tried_before: bool) -> None:
    world = world_with_links()
    if tried_before:
        found = services(world, tmp_path, strategy="replicate")
        real = found.stages.apply_through_gate

        def gate(*args: Any) -> bool:
            world.fail["record"] = TerraformError("throttled")
            return real(*args)

        found.stages.apply_through_gate = gate  # type: ignore[method-assign]
        with pytest.raises(TerraformError):
            rotate(found, Options())
        world.past_gate = False
        assert memory(tmp_path).result(CutoverResult).imprint
        assert world.write("blue was opened again")
    dies_at(world, "open green", after=True)
    killed(world, tmp_path, "replicate", rotate)
    assert not world.write("blue is sealed")
    compared = list(world.replication.compared)
    back(world, tmp_path)
    assert_back(world)
    assert world.replication.compared == compared
    assert set(world.replication.windows) == {BLUE}


@pytest.mark.parametrize("by_hand", [False, True])
def test_killed_after_go_what_green_holds_is_carried_back_without_comparing_all(tmp_path: Path, by_hand: bool) -> None:
    world = world_with_links()
    dies_at(world, "record", after=by_hand)
    killed(world, tmp_path, "replicate", rotate)
    if by_hand:  # the record had flipped; somebody has put it back since
        assert world.write("on green")
        world.record = replace(world.record, values=(str(world.instances[BLUE].address),))
    compared = list(world.replication.compared)
    back(world, tmp_path)
    assert_back(world, *(["on green"] if by_hand else []))
    assert world.replication.compared == compared


# --- everything is compared -------------------------------------------------------------------------------------------


def test_what_was_in_flux_is_looked_at_again_right_before_the_window_back(tmp_path: Path) -> None:
    world = rotated(tmp_path)
    memory(tmp_path).note(CutoverResult, partial(replace, imprint=None))
    world.replication.flux = ({"table": "item"},)
    world.replication.refuse_window = "blue does not have all of green's changes in time"
    compared = len(world.replication.compared)
    with pytest.raises(DatabaseError):
        back(world, tmp_path)
    world.replication.refuse_window = ""
    back(world, tmp_path)
    assert_back(world, "on green")
    assert world.replication.in_window[1:] == [0, 0]
    assert len(world.replication.compared) == compared + 1, "the next run need not compare all of it again"


# --- a flip that is taken back because the resolver stays -------------------------------------------------------------


def test_a_way_back_that_was_not_even_begun_leaves_rotate_free_to_go_on(tmp_path: Path) -> None:
    world = world_with_links()
    clinging(world, ttl=lambda: 5)
    found = services(world, tmp_path, strategy="replicate")
    real = found.stages.apply_through_gate

    def gate(*args: Any) -> bool:
        done = real(*args)
        world.replication.no_slots = DatabaseUnreachable("no answer from green")
        return done

    found.stages.apply_through_gate = gate  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(found, Options())
    assert caught.value.code == "dns-not-green"
    assert any("no answer from green" in line for line in caught.value.details)
    assert world.write("on green")
    world.resolves = {}
    run(world, tmp_path)
    assert_rotated(world)


def test_one_that_was_begun_is_said_to_need_a_rollback(tmp_path: Path) -> None:
    world = world_with_links()
    clinging(world, ttl=lambda: 5)
    world.fail["unsubscribe"] = DatabaseError("no connection")
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "dns-not-green"
    assert any("only a rollback can finish" in line for line in caught.value.details)
    assert not any("rotator rotate" in line for line in caught.value.details)
    back(world, tmp_path)
    assert_back(world)
