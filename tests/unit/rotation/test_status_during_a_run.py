"""status while a run is at work: who and since when, no next command, and no green before there is one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fake_channels import Replication
from fakes import BLUE, FakeDns, RecordingReporter, World, new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.commands.status import status
from rotator.domain.aws import Record
from rotator.domain.errors import LockedError
from rotator.journal.lock import env_lock, holder
from rotator.report.status import EnvStatus, render
from rotator.rotation.steps.context import Options


class Looks(RecordingReporter):
    """Asks for the status at each step's start, as a person at another terminal would."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__()
        self._world, self._folder = world, folder
        self.seen: dict[str, EnvStatus] = {}

    def start(self, step: str) -> None:
        at_work = replace(services(self._world, self._folder), holder=lambda: holder(self._folder))
        self.seen[step] = status(at_work)


@dataclass
class CountedDns(FakeDns):
    """Notes each look at all zones: whether blue was fenced at that moment."""

    looks: list[bool] = field(default_factory=list)

    def records_at(self, target: str) -> tuple[Record, ...]:
        self.looks.append(self.world.data[BLUE].fenced_by is not None)
        return super().records_at(target)


@pytest.mark.parametrize("strategy", ["snapshot", "replicate"])
def test_all_zones_are_looked_through_neither_in_the_pause_nor_by_status_during_a_run(
    tmp_path: Path, strategy: str
) -> None:
    world = new_world()
    world.replication = Replication() if strategy == "replicate" else None
    dns = CountedDns(world)
    at_work = replace(services(world, tmp_path, strategy=strategy), dns=dns)
    rotate(at_work, Options())
    assert dns.looks == [False], "preflight alone"
    running = replace(at_work, holder=lambda: "rotate, pid 1")
    assert status(running).at_blue == ("not searched during a run",)
    assert len(dns.looks) == 1
    assert status(at_work).at_blue == ()
    assert len(dns.looks) == 2


def test_during_a_run_it_names_the_run_no_next_command_and_no_green_before_there_is_one(tmp_path: Path) -> None:
    world = new_world()
    looks = Looks(world, tmp_path)
    with env_lock(tmp_path, "rotate"):
        rotate(services(world, tmp_path, looks), Options())
    assert len(looks.seen) > 10
    for step, found in looks.seen.items():
        assert found.next_command is None, step
        assert found.running is not None
        assert found.running.startswith("rotate, pid ")
        assert " since 20" in found.running
        text = render(found)
        assert "next: rotate" not in text
        assert "rotator rotate" not in text
        assert (found.green is None) is (found.green not in world.instances or step == "preflight")
    before = list(looks.seen)[: list(looks.seen).index("green") + 1]
    assert all(looks.seen[step].green is None for step in before)
    assert looks.seen["soak"].green == "shop-db-g1"
    after = status(replace(services(world, tmp_path), holder=lambda: holder(tmp_path)))
    assert after.running is None
    assert after.next_command == "rotator retire shop"


def test_the_lock_names_its_holder_and_is_not_disturbed_by_a_look(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert not (tmp_path / ".rotator").exists()
    with env_lock(tmp_path, "retire"):
        assert "retire, pid" in str(holder(tmp_path))
        with pytest.raises(LockedError) as caught, env_lock(tmp_path, "rotate"):
            pytest.fail("two at once")
        assert "Held by retire, pid" in caught.value.why
    assert holder(tmp_path) is None
    with env_lock(tmp_path, "rotate"):
        assert "rotate, pid" in str(holder(tmp_path))


def test_a_lock_file_of_garbage_is_shown_as_it_can_be(tmp_path: Path) -> None:
    with env_lock(tmp_path):
        (tmp_path / ".rotator" / "lock").write_bytes(b"\xff\xfe" * 1000)
        assert len(str(holder(tmp_path))) <= 300
        with pytest.raises(LockedError), env_lock(tmp_path):
            pytest.fail("two at once")
