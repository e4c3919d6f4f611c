"""plan: all stages of the next rotation with the changes that each may make, and a look at the root as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rotator.commands.kept_keys import follow_states
from rotator.commands.known import refuse_unknown
from rotator.commands.workbench import Workbench
from rotator.report.text import roughly
from rotator.results import PreflightResult
from rotator.steps.adopt import first_data, more_data
from rotator.steps.base import Options
from rotator.steps.choose import choose
from rotator.steps.forecast import forecast
from rotator.steps.letting_go import forgotten, leaving
from rotator.steps.registry import retire_steps, rotation_steps
from rotator.terraform.expected import describe
from rotator.workflow.begin import begin
from rotator.workflow.memory import JournalMemory
from rotator.workflow.stores import Preview


@dataclass(frozen=True)
class PlannedStep:
    """One step of the runbook. `changes` are the only ones its stage may make; `status` as the journal has it.

    `commits` says what cannot be had back after it; it is empty, and `reversible` true, where everything can.
    """

    name: str
    title: str
    status: str
    changes: tuple[str, ...]
    reversible: bool
    estimate_seconds: float
    commits: str = ""


@dataclass(frozen=True)
class RotationPlan:
    """The next rotation, or the one under way. `now` are the changes that a plan of the root shows at this moment."""

    env: str
    rotation_id: str
    strategy: str
    blue: str
    green: str
    new_alias: str
    steps: tuple[PlannedStep, ...]
    retire: tuple[PlannedStep, ...]
    now: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        estimates = {"estimate_seconds": _seconds(self.steps), "retire_estimate_seconds": _seconds(self.retire)}
        steps = {"steps": [s.__dict__ for s in self.steps], "retire": [s.__dict__ for s in self.retire]}
        return {**self.__dict__, **steps, **estimates, "now": list(self.now), "warnings": list(self.warnings)}


def plan(bench: Workbench) -> RotationPlan:
    """Forecast every stage, and judge the root as it is. Raises Blocked when it changes more."""
    refuse_unknown(bench, bench.store.load())
    follow_states(bench)
    stored = bench.store.load()
    journal, record = begin(bench.env, stored, bench.clock.now().isoformat("T", "seconds"), bench.nonce())
    memory = JournalMemory(Preview(journal), record.rotation.id)
    with bench.waiting("choosing the strategy: looking at blue and its database"):
        memory.decide_strategy(choose(bench.context(memory, record, Options())))
    record = memory.record
    ctx = bench.context(memory, record, Options())
    gone = leaving(ctx)
    memory.let_go([each.key for each in gone])
    rotation, retire = rotation_steps(ctx.rotation.strategy), retire_steps(ctx.rotation.strategy)
    begun = any(name != PreflightResult.step for name in record.steps)
    with bench.waiting("preflight: AWS, blue and its database"):
        seen = None if begun else rotation[0].observe(ctx).result
        warnings = rotation[0].warnings(seen) if seen is not None else ()
    start = more_data(ctx) or first_data(ctx)
    adopted = journal.root is not None and not (start.imports.also or start.imports.record)
    with bench.waiting("forecast of the stages"):
        found = () if begun else tuple(forecast(ctx, start, adopted=adopted))
    changes = {each.step: describe(each.stage, each.before, each.after) for each in found}
    with bench.waiting("terraform init and plan of the root"):
        midway = stored.pending is not None
        now = forgotten(gone) or bench.stages.review(start, adopted=stored.root is not None, midway=midway)

    def lines(steps: Any) -> tuple[PlannedStep, ...]:
        return tuple(
            PlannedStep(
                s.name,
                s.title,
                str(record.step(s.name).status),
                changes.get(s.name, ()),
                s.reversible,
                s.estimate_seconds,
                s.commits,
            )
            for s in steps
        )

    names = record.rotation
    return RotationPlan(
        bench.env.name,
        names.id,
        str(names.strategy),
        names.blue,
        names.green,
        names.new_alias,
        lines(rotation),
        lines(retire),
        now,
        warnings,
    )


def _seconds(steps: tuple[PlannedStep, ...]) -> float:
    return sum(step.estimate_seconds for step in steps if step.status not in ("done", "skipped"))


def render(found: RotationPlan) -> str:
    """For people: the runbook with each stage's changes."""
    lines = [
        f"Rotation {found.rotation_id} of env {found.env}, strategy {found.strategy}",
        f"  blue {found.blue} -> green {found.green}, new key {found.new_alias}",
        "",
        f"rotate (about {roughly(_seconds(found.steps))} for a small database; RDS's part grows with its size):",
        *_lines(found.steps),
        "",
        f"retire (after the soak; about {roughly(_seconds(found.retire))} for a small database):",
        *_lines(found.retire),
        "",
        *(["preflight warns:", *(f"  {line}" for line in found.warnings), ""] if found.warnings else []),
        "Terraform's plan of the root now:",
        *([f"  {line}" for line in found.now] or ["  no changes"]),
        "",
        "Legend: + create, ~ update in place, - delete, < import. Anything else in a plan is refused (exit 20).",
        f"next: rotator rotate {found.env}",
    ]
    return "\n".join(lines) + "\n"


def _lines(steps: tuple[PlannedStep, ...]) -> list[str]:
    lines = []
    for number, step in enumerate(steps, 1):
        mark = {"done": "x", "skipped": "-"}.get(step.status, " ")
        way = f"  (point of no return: {step.commits})" if step.commits else ""
        lines.append(f"  [{mark}] {number:2} {step.name:16} {step.title}{way}")
        lines += [f"           {change}" for change in step.changes]
    return lines
