"""Waiting for AWS is the engine's, in a rollback too: `--no-wait`, progress, patience, and the same command goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, FakeRds, RecordingReporter, World, new_world
from replicated import world_with_links
from rotations import phase, services
from test_half_made_green import half_made, patient

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.aws import Snapshot
from rotator.domain.errors import AwsError, Blocked, ExitCode, WaitingForAws
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.journal.memory import JournalMemory
from rotator.journal.results import GreenResult
from rotator.journal.results_retire import RetireSnapshotsResult
from rotator.rotation.engine import PATIENCE
from rotator.rotation.steps.context import Options

LOSE = Options(lose_writes=True)
GREEN = f"{BLUE}-g1"


@dataclass
class SlowRds(FakeRds):
    """Snapshots need so many looks until they are gone; new ones are `hidden` for so many looks."""

    looks: int = 3
    hidden: int = 0
    asked: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    down: int = 0

    def delete_snapshot(self, identifier: str) -> None:
        assert identifier not in self.asked, "deletion is asked for once"
        self.asked.append(identifier)

    def create_snapshot(self, instance: str, identifier: str, tags: Any) -> Snapshot:
        self.made.append(identifier)
        return super().create_snapshot(instance, identifier, tags)

    def snapshot(self, identifier: str) -> Snapshot | None:
        if identifier in self.made and self.down:
            self.down -= 1
            raise AwsError("no answer", code="aws-unreachable")
        if identifier in self.made and self.hidden:
            self.hidden -= 1
            return None
        if identifier in self.asked:
            self.looks -= 1
            if self.looks <= 0:
                self.world.snapshots.pop(identifier, None)
        return super().snapshot(identifier)


def flipped(folder: Path) -> World:
    world = new_world()
    rotate(services(world, folder), Options())
    return world


def slow(world: World, folder: Path, reporter: Any = None, **how: int) -> Services:
    return replace(services(world, folder, reporter), rds=SlowRds(world, **how))


def memory(folder: Path) -> JournalMemory:
    return JournalMemory(local_keeper("shop", folder), "shop-g1")


def test_a_rollback_ends_with_exit_code_11_while_green_is_kept_and_goes_on(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    with pytest.raises(WaitingForAws) as caught:
        rollback(services(world, tmp_path), replace(LOSE, no_wait=True))
    assert caught.value.exit_code is ExitCode.WAITING_FOR_AWS
    assert "creating" in caught.value.what
    assert any("resume it with: rotator rollback shop" in line for line in caught.value.details)
    assert world.write("blue takes writes meanwhile")
    assert GREEN in world.instances
    rollback(services(world, tmp_path), replace(LOSE, no_wait=True))
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert GREEN not in world.instances
    assert memory(tmp_path).record.rotation.rolled_back_snapshot in world.snapshots


def test_waiting_is_shown_and_counted(tmp_path: Path) -> None:
    world, reporter = flipped(tmp_path), RecordingReporter()
    at_work = services(world, tmp_path, reporter)
    rollback(at_work, LOSE)
    assert "green" in reporter.said("progress")
    assert at_work.clock.waited > 0
    assert memory(tmp_path).record.step(GreenResult.step).waited == at_work.clock.waited


def test_a_snapshot_that_rds_does_not_show_yet_is_asked_for_once(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    at_work = slow(world, tmp_path, hidden=PATIENCE // 2)
    rollback(at_work, LOSE)
    assert len(at_work.rds.made) == 1  # type: ignore[attr-defined]


def test_patience_ends_for_one_that_never_comes(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    with pytest.raises(Blocked, match="is not available, so green is not deleted") as caught:
        rollback(slow(world, tmp_path, hidden=10 * PATIENCE), LOSE)
    assert (caught.value.fix, caught.value.code) == ("Run rollback again.", "snapshot-failed")
    assert GREEN in world.instances


def test_an_aws_that_is_silent_for_a_while_is_ridden_out_once_waiting_has_begun(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    at_work = slow(world, tmp_path, hidden=1)
    real = at_work.clock.wait

    def wait(seconds: float) -> None:
        if at_work.clock.waited == 0:
            at_work.rds.down = 3  # type: ignore[attr-defined]
        real(seconds)

    at_work.clock.wait = wait  # type: ignore[method-assign]
    rollback(at_work, LOSE)
    assert phase(tmp_path) is Phase.ROLLED_BACK


def test_the_deletion_of_a_rollback_is_waited_for_by_the_engine(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    options = replace(LOSE, delete_snapshots=True)
    at_work = slow(world, tmp_path)
    with pytest.raises(WaitingForAws, match="is deleted"):
        rollback(at_work, replace(options, no_wait=True))
    rollback(replace(at_work, clock=services(world, tmp_path).clock), LOSE)  # what was asked for is not asked again
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert memory(tmp_path).record.step("re-encrypt").reason.endswith("deleted")


def test_the_deletion_of_a_retirement_is_waited_for_by_the_engine(tmp_path: Path) -> None:
    world = flipped(tmp_path)
    at_work = slow(world, tmp_path)
    for _ in range(20):
        try:
            retire(at_work, Options(no_wait=True))
            break
        except WaitingForAws as stop:
            last = stop.what
    assert "is deleted" in last
    assert set(memory(tmp_path).result(RetireSnapshotsResult).deleted or ()) == set(at_work.rds.asked)  # type: ignore[attr-defined]


@pytest.mark.parametrize("undone", [False, True])
def test_a_half_made_green_is_waited_for_by_the_engine(tmp_path: Path, undone: bool) -> None:
    world = world_with_links()
    half_made(world, tmp_path, "replicate", held=False)
    verb = rollback if undone else rotate
    with pytest.raises(WaitingForAws, match="made by an earlier run"):
        verb(patient(world, tmp_path, "replicate"), Options(no_wait=True))
    assert world.write("writes go on")
    verb(patient(world, tmp_path, "replicate"), Options())
    assert phase(tmp_path) is (Phase.ROLLED_BACK if undone else Phase.SOAKING)
