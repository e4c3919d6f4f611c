"""Soak: the grace time between cutover and retire. Blue stays, fenced, until it is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from rotator.config import soak_seconds
from rotator.steps.base import Context, Observation, Outputs, Step, absent, satisfied


class Soak(Step):
    """Note until when blue must stay, and prove that the plan is clean."""

    name = "soak"
    title = "Check the plan and begin the soak"
    rechecked_until = "soak"
    estimate_seconds = 10

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once noted."""
        noted = ctx.memory.outputs(self.name)
        return satisfied() if noted.get("until") else absent("not noted yet")

    def act(self, ctx: Context) -> None:
        """Prove the clean plan, then note the time."""
        ctx.stages.check_clean()
        flipped = datetime.fromisoformat(ctx.memory.outputs("cutover")["flipped_at"])
        until = flipped + timedelta(seconds=soak_seconds(ctx.env.config.rotation.soak))
        ctx.memory.note(self.name, until=until.isoformat("T", "seconds"))

    def result(self, outputs: Outputs) -> str:
        """One line for people."""
        return f"plan clean; blue may be retired from {outputs['until']}"
