"""What a run says of itself: the step that stopped it, advice that can be followed, points of no return, warnings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, FakeDatabases, FakeServer, RecordingReporter, World, new_world
from rotations import phase, services

from rotator.commands import plan as plan_command
from rotator.commands.half_retired import take_back_unprotect
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.domain.database import Finding
from rotator.domain.errors import AwsError, Blocked, DatabaseError, RotatorError
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase
from rotator.journal.memory import JournalMemory
from rotator.journal.results import CutoverResult
from rotator.report import plan as plan_report
from rotator.rotation.begin import to_roll_back
from rotator.rotation.engine import Engine
from rotator.rotation.registry import retire_steps, rollback_steps, rotation_steps
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.step import Step

AFTER_BLUE = ("retire-snapshots", "disable-key", "retire-key")
"""Steps of retire that come when blue has gone."""
BACK = [step.name for step in rollback_steps(Strategy.SNAPSHOT)]


class StopsAt(Engine):
    """An engine whose undo of one step fails."""

    def __init__(self, real: Engine, name: str) -> None:
        self.__dict__ = real.__dict__
        self._stop = name

    def undo(self, ctx: Context, steps: Any) -> None:
        super().undo(ctx, [Failing(step) if step.name == self._stop else step for step in steps])


class Failing(Step):
    def __init__(self, step: Step) -> None:
        self.name, self.title = step.name, step.title

    def observe(self, ctx: Context) -> Any:
        raise AssertionError

    def undo(self, ctx: Context) -> str:
        raise AwsError("AWS said no")


class StoppingBench(Services):
    stop_at = ""

    def engine(self, memory: Any) -> Engine:
        return StopsAt(super().engine(memory), self.stop_at)


def stopping(world: World, folder: Path, step: str, reporter: RecordingReporter) -> Services:
    made = StoppingBench(**services(world, folder, reporter).__dict__)
    object.__setattr__(made, "stop_at", step)
    return made


@pytest.mark.parametrize("step", BACK)
def test_a_rollback_names_the_step_that_stopped_it_and_how_to_go_on(tmp_path: Path, step: str) -> None:
    world, reporter = new_world(), RecordingReporter()
    rotate(services(world, tmp_path), Options())
    with pytest.raises(AwsError) as caught:
        rollback(stopping(world, tmp_path, step, reporter), Options(lose_writes=True))
    assert reporter.said("failed") == [step]
    assert phase(tmp_path) is Phase.ROLLING_BACK
    with pytest.raises(Blocked) as early:  # rotate is refused until the rollback has ended: it is not the way on
        retire(services(world, tmp_path), Options())
    assert early.value.fix == "Finish taking it back first: rotator rollback shop"
    advice = " ".join((caught.value.fix, *caught.value.details))
    assert "rotator rollback shop" in advice
    assert "rotator rotate" not in advice
    with pytest.raises(Blocked, match="being rolled back"):
        rotate(services(world, tmp_path), Options())


def test_a_retire_names_the_step_that_stopped_it(tmp_path: Path) -> None:
    world, reporter = new_world(), RecordingReporter()
    rotate(services(world, tmp_path), Options())
    world.fail["copy_snapshot"] = AwsError("no")
    with pytest.raises(AwsError):
        retire(services(world, tmp_path, reporter), Options())
    assert reporter.said("failed") == ["final-reencrypt"]


def test_a_stop_outside_all_steps_is_laid_on_none_of_them(tmp_path: Path) -> None:
    world, reporter = new_world(), RecordingReporter()
    rotate(services(world, tmp_path), Options())
    with pytest.raises(RotatorError, match="loses what was written"):
        rollback(services(world, tmp_path, reporter), Options())
    assert reporter.said("failed") == []
    assert any(line.startswith("stopped: Rolling back") for line in reporter.said("note"))


def test_warnings_are_told_when_preflight_ends(tmp_path: Path) -> None:
    world, reporter = new_world(), RecordingReporter()
    at_work = replace(services(world, tmp_path, reporter), databases=Warns(world))
    rotate(at_work, Options())
    lines = reporter.lines
    warned = lines.index(("note", "warning: It is slow. Because. Mend it."))
    assert lines.index(("done", "preflight")) < warned < lines.index(("start", "adopt"))


class Warns(FakeDatabases):
    def at(self, host: str, port: int, *, address: str | None = None) -> FakeServer:
        found = super().at(host, port, address=address)
        finding = Finding("slow", "it is slow", "because", "mend it", blocks=False)
        found.preflight = lambda: (finding,)  # type: ignore[method-assign]
        return found


@pytest.mark.parametrize("strategy", [Strategy.SNAPSHOT, Strategy.REPLICATE])
def test_plan_marks_points_of_no_return_and_nothing_else(strategy: Strategy) -> None:
    marked = {step.name for step in retire_steps(strategy) if not step.reversible}
    reverse_closed = {"close-way-back"} if strategy is Strategy.REPLICATE else set()
    assert marked == {"unprotect", "retire-database", "retire-snapshots", "retire-key"} | reverse_closed


def test_after_a_retire_step_a_rollback_is_possible_unless_a_mark_says_no(tmp_path: Path) -> None:
    """The marks are tied to what rollback does: walk through retire and ask after each step."""
    world = new_world()
    rotate(services(world, tmp_path), Options())
    at_work = services(world, tmp_path)
    latest = at_work.keeper.load().latest()
    assert latest is not None
    memory = JournalMemory(at_work.keeper, latest.rotation.id)
    memory.phase(Phase.RETIRING)
    closed = False
    for step in retire_steps(Strategy.SNAPSHOT)[: -len(AFTER_BLUE)]:
        ctx = at_work.context(memory, memory.record, Options())
        at_work.engine(memory).run(ctx, [step])
        closed = closed or not step.reversible
        try:
            to_roll_back(at_work.env, at_work.keeper.load())
            take_back_unprotect(ctx, memory)
            possible = True
        except Blocked:
            possible = False
        assert possible is not closed, step.name


def test_plan_says_at_each_point_of_no_return_what_is_lost(tmp_path: Path) -> None:
    found = plan_command.plan(services(new_world(), tmp_path))
    text = plan_report.render(found)
    assert "cannot be taken back" not in text
    marked = re.findall(r"^  \[.\] +\d+ (\S+) .*\(point of no return: (.+)\)$", text, re.MULTILINE)
    assert [name for name, _ in marked] == ["cutover", "unprotect", "retire-database", "retire-snapshots", "retire-key"]
    assert BLUE in text


def test_nobody_is_asked_for_a_pause_of_a_database_that_is_not_there(tmp_path: Path) -> None:
    world = new_world()
    del world.instances[BLUE]
    with pytest.raises(Blocked, match="There is no DB instance"):
        rotate(services(world, tmp_path, strategy="auto"), Options())


class Refuses(FakeDatabases):
    def at(self, host: str, port: int, *, address: str | None = None) -> FakeServer:
        raise DatabaseError("password authentication failed")


def test_nobody_is_asked_for_a_pause_because_of_a_wrong_password(tmp_path: Path) -> None:
    world = new_world()
    at_work = replace(services(world, tmp_path, strategy="auto"), databases=Refuses(world))
    with pytest.raises(DatabaseError, match="password"):
        rotate(at_work, Options())


@pytest.mark.parametrize("left", [0, 2])
def test_connections_that_could_not_be_ended_are_told(tmp_path: Path, left: int) -> None:
    world = new_world()
    world.data[BLUE].clinging = left
    at_work = services(world, tmp_path)
    rotate(at_work, Options())
    cutover = rotation_steps(Strategy.SNAPSHOT)[-3]
    latest = at_work.keeper.load().latest()
    assert latest is not None
    said = cutover.words(latest.result(CutoverResult))
    assert ("2 old connections to blue could not be ended" in said) is bool(left)
    world.data[f"{BLUE}-g1"].clinging = left
    rollback(services(world, tmp_path), Options(lose_writes=True))
    reason = JournalMemory(at_work.keeper, latest.rotation.id).record.step("cutover").reason
    assert (f"{left} connections to {BLUE}-g1 could not be ended" in reason) is bool(left)
