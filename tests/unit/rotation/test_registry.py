"""One table says where each step stands; what is derived from it is the runbook that teams know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from fakes import new_world
from replicated import world_with_links
from rotations import services

from rotator.commands.retirement import retire
from rotator.commands.rotation import rotate
from rotator.domain.root import Stage
from rotator.domain.rotation import Strategy
from rotator.journal.local import local_keeper
from rotator.journal.memory import JournalMemory
from rotator.journal.results import PreflightResult, Result
from rotator.rotation.begin import begin
from rotator.rotation.forecast import EDITS
from rotator.rotation.registry import ROWS, Back, Part, Row, key_steps, retire_steps, rollback_steps, rotation_steps
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.observation import Observation, satisfied
from rotator.rotation.steps.step import Step

FIRST = "preflight adopt lower-ttl key"
ROTATE = {
    Strategy.SNAPSHOT: f"{FIRST} fence snapshot re-encrypt green parity validate cutover ungate soak",
    Strategy.REPLICATE: f"{FIRST} open snapshot re-encrypt green parity seed catch-up validate cutover way-back "
    "ungate soak",
}
BACK = {
    Strategy.SNAPSHOT: "cutover fence green re-encrypt snapshot key lower-ttl",
    Strategy.REPLICATE: "cutover way-back catch-up open green re-encrypt snapshot key lower-ttl",
}
AFTER_BLUE = "retire-snapshots disable-key retire-key"
RETIRE = f"final-snapshot final-reencrypt unprotect restore-ttl retire-database {AFTER_BLUE}"


def names(steps: tuple[Step[Result], ...]) -> str:
    return " ".join(step.name for step in steps)


@pytest.mark.parametrize("strategy", ROTATE)
def test_the_runbook_of_each_strategy(strategy: Strategy) -> None:
    assert names(rotation_steps(strategy)) == ROTATE[strategy]
    assert names(rollback_steps(strategy)) == BACK[strategy]
    closed = "close-way-back " if strategy is Strategy.REPLICATE else ""
    assert names(retire_steps(strategy)) == f"retire-check {closed}{RETIRE}"
    assert names(key_steps()) == AFTER_BLUE


def test_a_rollback_sees_to_blues_writes_before_what_the_rotation_made() -> None:
    for strategy in ROTATE:
        urgent = names(rollback_steps(strategy, Back.NAME, Back.WRITES))
        assert f"{urgent} {names(rollback_steps(strategy, Back.MADE))}" == BACK[strategy]


@pytest.mark.parametrize("strategy", ["snapshot", "replicate"])
def test_each_row_names_the_stage_that_its_step_applies(tmp_path: Path, strategy: str) -> None:
    world = world_with_links() if strategy == "replicate" else new_world()
    rotate(services(world, tmp_path, strategy=strategy), Options())
    retire(services(world, tmp_path, strategy=strategy), Options())
    stages = [row.stage for row in ROWS if row.stage is not None and row.of(Strategy(strategy))]
    assert world.applied == stages[: len(world.applied)]
    assert len(world.applied) >= len(stages) - 1  # the old key stays disabled for a time before it goes


def test_the_forecast_knows_every_stage_that_a_row_applies() -> None:
    stages = {row.stage for row in ROWS if row.stage is not None} - {Stage.ADOPT}
    assert stages == EDITS.keys()


@dataclass(frozen=True)
class VersionResult(Result):
    step: ClassVar[str] = "server-version"
    version: str | None = None


class ServerVersion(Step[VersionResult]):
    """Only looks: which version blue's server has."""

    name, title, records = "server-version", "note the server's version", VersionResult

    def observe(self, ctx: Context) -> Observation:
        blue = ctx.rds.instance(ctx.rotation.blue)
        return satisfied(VersionResult(version=str(blue.engine_version) if blue else None))


def test_a_new_step_is_a_class_and_a_row(tmp_path: Path) -> None:
    made = services(new_world(), tmp_path)
    journal, record = begin(made.env, made.keeper.load(), "2026-01-01T00:00:00+00:00", made.nonce())
    made.keeper.save(journal)
    memory = JournalMemory(made.keeper, record.rotation.id)
    ctx = made.context(memory, record, Options())
    steps = rotation_steps(Strategy.SNAPSHOT, (ROWS[0], Row(Part.ROTATE, ServerVersion()), *ROWS[1:]))
    assert names(steps[:3]) == "preflight server-version adopt"
    made.engine(memory).run(ctx, steps[:2])
    kept = local_keeper("shop", tmp_path).load().rotations[0]
    assert kept.result(PreflightResult) == memory.result(PreflightResult)
    assert kept.result(VersionResult) == VersionResult(version="15.10")


def test_a_step_has_one_kind_of_result() -> None:
    with pytest.raises(TypeError, match="'preflight' has a kind already, PreflightResult"):
        type("Another", (Result,), {"step": "preflight"})
