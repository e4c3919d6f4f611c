"""A lost connection heals by itself, in catch-up and in the soak; a change that cannot be applied does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, World
from replicated import run, world_with_links
from rotations import services
from test_replicate_in_memory import GREEN, assert_rotated

from rotator.commands.rotation import rollback
from rotator.commands.status import status
from rotator.domain.errors import Blocked, DatabaseError, WaitingForApproval
from rotator.rotation.steps.context import Options


def look(world: World, folder: Path) -> str:
    return "\n".join(status(services(world, folder, strategy="replicate")).replication)


def back(world: World, folder: Path) -> Any:
    return rollback(services(world, folder, strategy="replicate"), Options(delete_snapshots=True))


@pytest.mark.parametrize("looks", [1, 3, 8])
def test_a_connection_that_is_lost_for_a_while_is_ridden_out(tmp_path: Path, looks: int) -> None:
    world = world_with_links()
    world.replication.cut = looks
    run(world, tmp_path)
    assert_rotated(world)


def test_one_that_does_not_come_back_stops_with_its_own_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.cut = 1_000_000
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "link-down"
    assert "server closed the connection" in caught.value.why
    assert "tries again" in look(world, tmp_path)
    world.replication.cut = 0
    run(world, tmp_path)
    assert_rotated(world)


def test_a_change_that_cannot_be_applied_stops_and_once_mended_the_same_command_goes_on(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.errors = ("duplicate key value", "Key (id)=(5) already exists.")
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "apply-stopped"
    assert not world.replication.streams[BLUE, "forward"].enabled  # it does not run into it again and again
    assert "STOPPED at a change" in look(world, tmp_path)
    world.replication.errors = ()
    run(world, tmp_path)
    assert_rotated(world)


def test_what_cannot_be_applied_on_blue_names_what_goes_past_its_fence_and_the_ways_out(tmp_path: Path) -> None:
    world = world_with_links()
    real = world.effect

    def effect(what: str, do: Any) -> None:
        real(what, do)
        if what == "open green":
            world.replication.errors = ("duplicate key value",)

    world.effect = effect  # type: ignore[method-assign]
    with pytest.raises(Blocked) as forward:
        run(world, tmp_path)
    assert "rotator rotate shop --approve no-way-back" in forward.value.fix
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path, strategy="replicate"), Options(delete_snapshots=True))
    assert caught.value.code == forward.value.code == "apply-stopped"
    assert any(line.strip() == "alter event trigger rotator_fence_ddl disable;" for line in caught.value.details)
    assert "rotator rollback shop --confirm shop" in caught.value.fix
    assert "rotator rotate" not in caught.value.fix  # it is refused until the rollback has ended
    rollback(services(world, tmp_path, strategy="replicate"), Options(delete_snapshots=True, lose_writes=True))
    assert world.write("on blue again")


def test_in_the_soak_a_subscription_that_was_switched_off_is_no_closed_way_back(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.replication.streams[GREEN, "back"].enabled = False  # an older version let a lost connection do that
    assert "switch it on again" in look(world, tmp_path)
    assert "reverse replication open" in look(world, tmp_path)
    assert world.write("on green meanwhile")
    back(world, tmp_path)
    assert "on green meanwhile" in world.serving_rows()


def test_in_the_soak_a_connection_that_is_lost_is_waited_for_by_rollback(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.replication.cut = 4
    assert world.write("on green meanwhile")
    back(world, tmp_path)
    assert "on green meanwhile" in world.serving_rows()
    assert world.write("on blue")


def test_in_the_soak_a_change_that_cannot_be_applied_closes_the_way_back_and_says_so(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    world.replication.errors = ("duplicate key value",)
    assert "reverse replication CLOSED: a change could not be applied" in look(world, tmp_path)
    with pytest.raises(WaitingForApproval) as caught:
        back(world, tmp_path)
    assert "duplicate key value" in caught.value.why
    assert world.replication.streams[GREEN, "back"].enabled  # mended, it goes on by itself
    world.replication.errors = ()
    back(world, tmp_path)
    assert world.write("on blue")


def test_at_the_flip_a_connection_lost_in_the_window_flips_nothing(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.refuse_window = "green does not have all of blue's changes in time"
    with pytest.raises(DatabaseError):
        run(world, tmp_path)
    assert world.write("still on blue")
