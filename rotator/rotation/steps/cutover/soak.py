"""Soak: the grace time between cutover and retire. Blue stays, fenced, until it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.config.schema import soak_seconds
from rotator.journal.results import CutoverResult, SoakResult, need
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, satisfied
from rotator.rotation.steps.step import Step


class Soak(Step[SoakResult]):
    """Note until when blue must stay, and prove that the plan is clean."""

    name = "soak"
    records = SoakResult
    title = "Check the plan and begin the soak"
    once = True
    estimate_seconds = 10

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once noted."""
        noted = ctx.memory.result(SoakResult)
        return satisfied() if noted.until else absent("not noted yet")

    def act(self, ctx: Context) -> None:
        """Prove the clean plan, then note the time."""
        ctx.stages.check_clean()
        flipped = datetime.fromisoformat(need(ctx.memory.result(CutoverResult).flipped_at))
        until = flipped + timedelta(seconds=soak_seconds(ctx.env.config.rotation.soak))
        ctx.memory.note(SoakResult, lambda known: replace(known, until=until.isoformat("T", "seconds")))

    def words(self, result: SoakResult) -> str:
        return f"plan clean; blue may be retired from {result.until}"
