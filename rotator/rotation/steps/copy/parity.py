"""Parity: green has blue's settings, in what RDS says and in what the servers run with; what a restore lost is set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.aws import Deployment
from rotator.journal.results import CutoverResult, ParityResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.green import RESTING
from rotator.rotation.steps.observation import Observation, absent, conflict, in_progress, satisfied
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import blue_instance, instance, server

SHOWN = timedelta(minutes=3)
"""How long RDS may take to show a modification that it has accepted."""

NEAR = 0.05
"""RDS computes some values from the memory that the host leaves: such may differ by a little."""


class Parity(Step[ParityResult]):
    """Blue and green differ in nothing but identifier, endpoint, key, and times."""

    name = "parity"
    records = ParityResult
    title = "Compare blue's and green's settings"
    rechecked_until = CutoverResult.step
    estimate_seconds = 2

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when DescribeDBInstances gives the same for both, and both run with the same."""
        blue, green = blue_instance(ctx), instance(ctx, ctx.rotation.green)
        ignored = ctx.env.config.rotation.parity_ignore
        found = tuple(
            d for d in ctx.topology.differences(blue, green, ctx.env.config.tags) if d.split(":")[0] not in ignored
        )
        if found:
            return self._not_yet(ctx, blue, green, found) or _differs(blue, green, found)
        running = tuple(_running(ctx, ignored))
        if running:
            return _differs(blue, green, running)
        return satisfied(
            replace(ctx.memory.result(ParityResult), ignored=tuple(ignored), fields=ctx.topology.compared(blue))
        )

    def _not_yet(self, ctx: Context, blue: Deployment, green: Deployment, found: tuple[str, ...]) -> Observation | None:
        """What the tool sets itself: absent until it has been set, in progress until RDS shows it."""
        wanted = ctx.topology.mends(blue, {line.split(":")[0] for line in found})
        if not wanted or ctx.memory.is_done(self.name):
            return None
        noted = ctx.memory.result(ParityResult).set_at
        if noted is None:
            return absent(f"to be set on green: {', '.join(wanted)}")
        fresh = ctx.clock.now() < datetime.fromisoformat(noted) + SHOWN
        busy = green.status not in RESTING or bool(green.pending)
        return in_progress(f"{green.identifier} {green.status}: {', '.join(wanted)}") if fresh or busy else None

    def act(self, ctx: Context) -> None:
        """One ModifyDBInstance for what neither the restore nor Terraform gave to green."""
        blue, green = blue_instance(ctx), instance(ctx, ctx.rotation.green)
        lines = ctx.topology.differences(blue, green, ctx.env.config.tags)
        ignored = ctx.env.config.rotation.parity_ignore
        wanted = ctx.topology.mends(blue, {line.split(":")[0] for line in lines} - set(ignored))
        ctx.topology.modify(green.identifier, wanted)
        ctx.memory.note(
            ParityResult,
            lambda known: replace(known, set=tuple(sorted(wanted)), set_at=ctx.clock.now().isoformat("T", "seconds")),
        )

    def words(self, result: ParityResult) -> str:
        mended = f"; set on green: {', '.join(result.set)}" if result.set else ""
        return f"{result.fields} fields compared, no difference{mended}"


def _differs(blue: Deployment, green: Deployment, found: tuple[str, ...]) -> Observation:
    return conflict(
        f"{green.identifier} differs from {blue.identifier} in {len(found)} settings.",
        "Make them equal, or name the fields in [rotation] parity_ignore if the difference is wanted.",
        found,
    )


def _running(ctx: Context, ignored: Collection[str]) -> Iterator[str]:
    """Settings with which green was started and blue was not; those that may wait for blue's reboot are left out."""
    blue, green = server(ctx, ctx.rotation.blue), server(ctx, ctx.rotation.green)
    if blue is None or green is None:
        return
    left, right = blue.static_settings(), green.static_settings()
    for name in sorted((left.keys() & right.keys()) - set(ignored)):
        value, waits = left[name]
        if not _near(value, right[name][0]) and not (waits and ctx.topology.in_force_field in ignored):
            yield f"{name}: blue={value!r} green={right[name][0]!r}"


def _near(left: str, right: str) -> bool:
    if left == right:
        return True
    if not (left.isdigit() and right.isdigit()):
        return False
    return abs(int(left) - int(right)) <= NEAR * max(int(left), int(right))
