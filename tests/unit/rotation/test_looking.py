"""Reality beats the journal: every step looks at the world before it is called done, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, World, new_world
from replicated import world_with_links
from rotations import services
from test_half_retired import cut_off

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.errors import Blocked
from rotator.domain.rotation import Strategy
from rotator.journal.memory import JournalMemory
from rotator.journal.results import KINDS
from rotator.rotation.engine import Engine
from rotator.rotation.registry import ROWS
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.observation import Kind, Observation

WORLD = ("topology", "rds", "kms", "key_uses", "dns", "identity", "resolver", "databases", "stages")
STRATEGIES = pytest.mark.parametrize("strategy", ["snapshot", "replicate"])


class Recorded:
    """Anything of the context: its calls are counted, and so are those of what it gives."""

    def __init__(self, real: Any, count: Callable[[], None]) -> None:
        self._real, self._count = real, count

    def __getattr__(self, name: str) -> Any:
        self._count()
        return getattr(self._real, name)


@dataclass
class Looks:
    """By step: whether its last look at something that it then called done asked anything of the world."""

    asked: int = 0
    last: dict[str, bool] = field(default_factory=dict)

    def count(self) -> None:
        self.asked += 1


class Watching:
    def __init__(self, step: Any, looks: Looks) -> None:
        self._step, self._looks = step, looks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def observe(self, ctx: Context) -> Observation:
        before = self._looks.asked
        recorded = {name: Recorded(getattr(ctx, name), self._looks.count) for name in WORLD}
        seen = self._step.observe(replace(ctx, **recorded))
        if seen.kind is Kind.SATISFIED:
            self._looks.last[self._step.name] = self._looks.asked > before
        return seen


class WatchingEngine(Engine):
    looks: Looks

    def run(self, ctx: Context, steps: Any) -> None:
        super().run(ctx, [Watching(step, self.looks) for step in steps])


class WatchingServices(Services):
    looks: Looks

    def engine(self, memory: Any) -> Engine:
        engine = super().engine(memory)
        watching = WatchingEngine.__new__(WatchingEngine)
        watching.__dict__ = engine.__dict__
        watching.looks = self.looks
        return watching


def watched(world: World, folder: Path, strategy: str, looks: Looks) -> Services:
    found = WatchingServices(**vars(services(world, folder, strategy=strategy)))
    object.__setattr__(found, "looks", looks)
    return found


def made(strategy: str) -> World:
    return world_with_links() if strategy == "replicate" else new_world()


@STRATEGIES
def test_every_step_looks_or_says_that_it_cannot(tmp_path: Path, strategy: str) -> None:
    world, looks = made(strategy), Looks()
    rotate(watched(world, tmp_path, strategy, looks), Options())
    retire(watched(world, tmp_path, strategy, looks), Options())
    mine = [row.step for row in ROWS if row.of(Strategy(strategy)) and row.step.name in looks.last]
    assert len(mine) >= 17
    assert [step.name for step in mine if not looks.last[step.name] and not step.once] == []
    assert {step.name for step in mine if step.once} == {"validate", "soak"} | (
        {"seed"} if strategy == "replicate" else set()
    )


def test_what_names_another_step_names_one_that_there_is() -> None:
    """A step that is done once needs no other; what is rechecked until a step names one that has a row."""
    steps = [row.step for row in ROWS]
    assert not [step.name for step in steps if step.once and step.rechecked_until is not None]
    named = {step.rechecked_until for step in steps} - {None}
    assert named <= {step.name for step in steps} <= KINDS.keys()


@pytest.mark.parametrize("missing", ["subscription", "slot"])
def test_a_way_back_that_is_gone_is_not_called_open(tmp_path: Path, missing: str) -> None:
    world = world_with_links()
    at_work = services(world, tmp_path, strategy="replicate")
    rotate(at_work, Options())
    stream = world.replication.streams[(f"{BLUE}-g1", "back")]
    if missing == "slot":
        stream.slot = False
    else:
        stream.subscribed = False
    latest = at_work.keeper.load().latest()
    assert latest is not None
    ctx = at_work.context(JournalMemory(at_work.keeper, latest.rotation.id), latest, Options())
    step = next(row.step for row in ROWS if row.step.name == "way-back")
    assert step.observe(ctx).kind is Kind.ABSENT


def test_blue_that_is_protected_again_stops_retire_and_says_what_to_do(tmp_path: Path) -> None:
    world = cut_off(tmp_path)
    found = services(world, tmp_path)
    real = found.stages.apply

    def protects(stage: Any, *rest: Any) -> bool:
        done = real(stage, *rest)
        if stage == "unprotect":
            world.instances[BLUE] = replace(world.instances[BLUE], deletion_protection=True)
        return done

    found.stages.apply = protects  # type: ignore[method-assign]
    with pytest.raises(Blocked, match="protected from deletion again") as caught:
        retire(found, Options())
    assert "--no-deletion-protection" in caught.value.fix
    assert BLUE in world.instances
    world.instances[BLUE] = replace(world.instances[BLUE], deletion_protection=False)
    retire(services(world, tmp_path), Options())
    assert BLUE not in world.instances


@STRATEGIES
def test_after_a_rollback_it_is_looked_anew_for_what_is_left(tmp_path: Path, strategy: str) -> None:
    world, looks = made(strategy), Looks()
    rotate(services(world, tmp_path, strategy=strategy), Options())
    rollback(watched(world, tmp_path, strategy, looks), Options(lose_writes=True))
    assert "clean-up" in looks.last
