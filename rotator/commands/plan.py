"""plan: all stages of the next rotation with the changes that each may make, and Terraform's plan of the root now."""

from __future__ import annotations

from typing import Any

from rotator.commands.kept_keys import follow_states
from rotator.commands.known import refuse_unknown
from rotator.commands.services import Services
from rotator.journal.keeper import Preview
from rotator.journal.memory import JournalMemory
from rotator.journal.results import PreflightResult
from rotator.report.plan import PlannedStep, RotationPlan
from rotator.rotation.begin import begin
from rotator.rotation.forecast import forecast
from rotator.rotation.registry import retire_steps, rotation_steps
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.prepare.adopt import first_data, more_data
from rotator.rotation.steps.prepare.choose import choose
from rotator.rotation.steps.prepare.letting_go import forgotten, leaving
from rotator.terraform.expected import describe


def plan(services: Services) -> RotationPlan:
    """Forecast every stage, and check the plan of the root now. Raises Blocked if it has other changes."""
    refuse_unknown(services, services.keeper.load())
    follow_states(services)
    stored = services.keeper.load()
    journal, record = begin(services.env, stored, services.clock.now().isoformat("T", "seconds"), services.nonce())
    memory = JournalMemory(Preview(journal), record.rotation.id)
    with services.waiting("choosing the strategy: looking at blue and its database"):
        memory.decide_strategy(choose(services.context(memory, record, Options())))
    record = memory.record
    ctx = services.context(memory, record, Options())
    gone = leaving(ctx)
    memory.let_go([each.key for each in gone])
    rotation, retire = rotation_steps(ctx.rotation.strategy), retire_steps(ctx.rotation.strategy)
    begun = any(name != PreflightResult.step for name in record.steps)
    with services.waiting("preflight: AWS, blue and its database"):
        seen = None if begun else rotation[0].observe(ctx).result
        warnings = rotation[0].warnings(seen) if seen is not None else ()
    start = more_data(ctx) or first_data(ctx)
    adopted = journal.root is not None and not (start.imports.also or start.imports.record)
    with services.waiting("forecast of the stages"):
        found = () if begun else tuple(forecast(ctx, start, adopted=adopted))
    changes = {each.step: describe(each.stage, each.before, each.after) for each in found}
    with services.waiting("terraform init and plan of the root"):
        midway = stored.pending is not None
        now = forgotten(gone) or services.stages.review(start, adopted=stored.root is not None, midway=midway)

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
        services.env.name,
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
