"""A further record that is deleted, moved by hand, or named no longer: the root lets go of it, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, Killed, World
from rotations import phase
from test_names_in_memory import AT_BLUE, AT_GREEN, GREEN, LEGACY, bench_with, cname, world_with

from rotator.commands.plan import plan
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.errors import Blocked
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

ELSEWHERE = "elsewhere.example.com"
ADDRESS = f'module.endpoint.aws_route53_record.also["Z1/{LEGACY}"]'
Change = Callable[[World], None]


def deleted(world: World) -> None:
    world.others = []


def moved(world: World) -> None:
    world.others = [replace(world.others[0], values=(ELSEWHERE,), written=(ELSEWHERE,))]


@pytest.fixture(params=["snapshot", "replicate"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[deleted, moved])
def change(request: pytest.FixtureRequest) -> Change:
    found: Change = request.param
    return found


def held(folder: Path) -> list[str]:
    root = local_keeper("shop", folder).load().root
    assert root is not None
    return [each.name for each in root.also]


def at(world: World, folder: Path, strategy: str, *also: str, **dns: Any) -> Services:
    return bench_with(world, folder, dns={"also": list(also), **dns}, strategy=strategy)


@pytest.mark.parametrize("named", [(LEGACY,), ()])
@pytest.mark.parametrize("back", [False, True])
def test_in_the_soak_it_holds_up_neither_way(
    tmp_path: Path, strategy: str, change: Change, named: tuple[str, ...], *, back: bool
) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    rotate(at(world, tmp_path, strategy, LEGACY), Options())
    change(world)
    then = list(world.others)
    found = at(world, tmp_path, strategy, *named)
    if back:
        rollback(found, Options(lose_writes=True))
        assert world.record.values == (AT_BLUE,)
        assert world.write("on blue")
    else:
        retire(found, Options())
        assert BLUE not in world.instances
    assert (held(tmp_path), world.others) == ([], then)
    assert ADDRESS not in world.state
    assert world.both_writable == 0
    assert phase(tmp_path) is (Phase.ROLLED_BACK if back else Phase.RETIRED)
    rotate(at(world, tmp_path, strategy), Options())
    assert world.others == then


def test_before_the_next_rotation_it_is_named_until_the_config_drops_it(
    tmp_path: Path, strategy: str, change: Change
) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    rotate(at(world, tmp_path, strategy, LEGACY), Options())
    retire(at(world, tmp_path, strategy, LEGACY), Options())
    change(world)
    with pytest.raises(Blocked, match=LEGACY) as caught:
        rotate(at(world, tmp_path, strategy, LEGACY), Options())
    assert caught.value.code == "record-elsewhere"
    assert "take it out of [dns] also" in caught.value.fix
    before = (set(world.state), (tmp_path / "journal.json").read_text())
    assert any(ADDRESS in line for line in plan(at(world, tmp_path, strategy)).now)
    assert (set(world.state), (tmp_path / "journal.json").read_text()) == before
    rotate(at(world, tmp_path, strategy), Options())
    assert held(tmp_path) == []


def test_one_that_is_named_no_longer_stays_where_it_is(tmp_path: Path, strategy: str) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    rotate(at(world, tmp_path, strategy, LEGACY), Options())
    rollback(at(world, tmp_path, strategy, LEGACY), Options(lose_writes=True))
    with pytest.raises(Blocked, match=LEGACY) as caught:
        rotate(at(world, tmp_path, strategy), Options())
    assert caught.value.code == "other-records"
    rotate(at(world, tmp_path, strategy, leave=[LEGACY]), Options())
    assert world.others[0].values == (AT_BLUE,)
    assert held(tmp_path) == []


def test_until_the_flip_one_that_still_leads_to_blue_flips_with_the_others(tmp_path: Path, strategy: str) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    meet(world, tmp_path, strategy, lambda: None)
    rotate(at(world, tmp_path, strategy), Options())
    assert world.others[0].values == (AT_GREEN,)


def meet(world: World, folder: Path, strategy: str, then: Callable[[], None]) -> None:
    """A run that ends when green has just been made."""
    found = at(world, folder, strategy, LEGACY)
    real = found.stages.apply

    def apply(stage: Stage, *rest: Any) -> bool:
        done = real(stage, *rest)
        if stage is Stage.GREEN:
            then()
            raise Killed("green")
        return done

    found.stages.apply = apply  # type: ignore[method-assign]
    with pytest.raises(Killed):
        rotate(found, Options())


def test_in_the_middle_of_a_rotation_the_config_decides(tmp_path: Path, strategy: str, change: Change) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    meet(world, tmp_path, strategy, lambda: change(world))
    with pytest.raises(Blocked, match=LEGACY):
        rotate(at(world, tmp_path, strategy, LEGACY), Options())
    assert world.write("on blue: the fence does not stay for it")
    if strategy == "snapshot":  # which cannot go on once its fence was lifted
        rollback(at(world, tmp_path, strategy), Options(lose_writes=True))
    rotate(at(world, tmp_path, strategy), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g")
    assert held(tmp_path) == []


def test_blue_takes_writes_again_although_a_further_record_was_moved(tmp_path: Path, change: Change) -> None:
    world = world_with(cname(LEGACY))
    meet(world, tmp_path, "snapshot", lambda: change(world))
    assert world.data[BLUE].fenced_by is not None
    rollback(at(world, tmp_path, "snapshot", LEGACY), Options(lose_writes=True))
    assert world.write("on blue")


def test_one_that_leads_to_a_side_counts_as_ever(tmp_path: Path) -> None:
    world = world_with(cname(LEGACY))
    rotate(at(world, tmp_path, "snapshot", LEGACY), Options())
    world.others = [replace(world.others[0], values=(AT_BLUE,), written=(AT_BLUE,))]
    with pytest.raises(Blocked, match=f"{LEGACY} points at"):
        retire(at(world, tmp_path, "snapshot"), Options())
    assert held(tmp_path) == [LEGACY]


def test_green_that_is_gone_does_not_leave_a_record_behind(tmp_path: Path) -> None:
    world = world_with(cname(LEGACY))
    rotate(at(world, tmp_path, "snapshot", LEGACY), Options())
    del world.instances[GREEN]
    rollback(at(world, tmp_path, "snapshot", LEGACY), Options(lose_writes=True))
    assert world.others[0].values == (AT_BLUE,)


@pytest.mark.parametrize("verb", [retire, rollback])
@pytest.mark.parametrize("after", [False, True])
def test_killed_while_it_lets_go_the_same_command_goes_on(tmp_path: Path, verb: Any, *, after: bool) -> None:
    world = world_with(cname(LEGACY))
    rotate(at(world, tmp_path, "snapshot", LEGACY), Options())
    world.others = []
    world.kill_at, world.kill_after = world.effects + 1, after
    with pytest.raises(Killed, match="forget"):
        verb(at(world, tmp_path, "snapshot"), Options(lose_writes=True))
    world.kill_at = None
    verb(at(world, tmp_path, "snapshot"), Options(lose_writes=verb is rollback))
    assert (held(tmp_path), ADDRESS in world.state) == ([], False)
