"""Cutover, strategy replicate: fence, drain, recheck and flip in one moment, inside the apply's gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from rotator.database.replication import Passed
from rotator.domain import root_edits as edits
from rotator.domain.errors import Blocked, RotatorError
from rotator.domain.root import Stage
from rotator.journal.results import CutoverResult, ReverseReplicationResult, ValidateResult
from rotator.network.interface import RecordWatch
from rotator.rotation.safety import Ahead, Move, judge
from rotator.rotation.steps.channels import budgets, check_retained, forward
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.green import green_server_is_this_lineage
from rotator.rotation.steps.copy.keeping_up import prove
from rotator.rotation.steps.copy.validate import fingerprint
from rotator.rotation.steps.copy.verify import compare_online, is_fresh, shrink
from rotator.rotation.steps.cutover.cutover import Cutover
from rotator.rotation.steps.cutover.fence import unfence
from rotator.rotation.steps.cutover.following import Behind, before_fence
from rotator.rotation.steps.cutover.outlived import settle
from rotator.rotation.steps.cutover.sides import look
from rotator.rotation.steps.observation import Kind, Observation
from rotator.rotation.steps.reverse.flip_back import flip_back
from rotator.rotation.steps.reverse.reverse_replication import flip_back_without_loss
from rotator.rotation.steps.world import any_at, instance, is_at, server

SEEN_SECONDS = 5.0
"""How long after the apply's end the name is still watched for."""


@dataclass
class _Flip:
    """What happened at the gate, told once the apply has ended."""

    passed: Passed | None = None
    opening: bool = False
    watch: RecordWatch | None = None


class Switch(Cutover):
    """Point the applications' name at green. Writers wait for a moment; from here on green takes them."""

    title = "Fence blue, drain, and flip the record to green"
    commits = ""  # way-back carries what is written on green back to blue

    def observe(self, ctx: Context) -> Observation:
        """As Cutover; before the flip, the resolver must serve the lowered TTL, while writes go on."""
        seen = super().observe(ctx)
        if seen.kind is Kind.ABSENT and not any_at(ctx, ctx.rotation.green):
            return before_fence(ctx) or seen
        return seen

    def act(self, ctx: Context) -> None:
        """Apply with the gate; note how long each part of the pause took."""
        if not any_at(ctx, ctx.rotation.green):
            if not is_fresh(ctx) or forward(ctx).touched(ctx.memory.result(ValidateResult).imprint or {}):
                compare_online(ctx)
            prove(ctx, forward(ctx), ctx.rotation.green)  # a connection that is lost now heals before the gate
        flip, before = _Flip(), ctx.memory.result(CutoverResult).opened_at
        # From here on green may have been opened, whatever becomes of this run.
        ctx.memory.note(CutoverResult, lambda known: replace(known, opened_at=before or ctx.clock.now().isoformat()))
        if not any_at(ctx, ctx.rotation.green):
            # That of a window before, after which blue has been opened.
            ctx.memory.note(CutoverResult, lambda known: replace(known, imprint=None))
        after = edits.serving(ctx.data, ctx.rotation.target)
        try:
            ctx.apply_through_gate(Stage.CUTOVER, after, lambda: self._at_gate(ctx, flip))
        except Exception:
            if before is None and not flip.opening:
                # The window was given up before green was opened.
                ctx.memory.note(CutoverResult, lambda known: replace(known, opened_at=None))
            raise
        flipped = ctx.clock.now().isoformat()
        ctx.memory.note(CutoverResult, lambda known: replace(known, applied=True, flipped_at=flipped))
        if flip.passed is not None:
            measured = _measured(ctx, flip.passed, flip.watch)
            ctx.memory.note(CutoverResult, measured)

    def _at_gate(self, ctx: Context, flip: _Flip) -> Literal[True]:
        """The gate's question. Leaving the window without having passed it lifts the fence.

        Where the record has flipped already (a run that was cut off after its go), green serves: nothing is touched.
        """
        if any_at(ctx, ctx.rotation.green) and _flipped(ctx):
            return True
        channel, target = forward(ctx), (instance(ctx, ctx.rotation.green).address or "").lower()
        check_retained(ctx, channel)
        unsettled = shrink(ctx, channel)
        known = ctx.memory.result(ValidateResult).imprint
        with channel.window(budgets(ctx), unsettled, retain_back=True, imprint=known) as window:
            try:
                window.prepare(lambda _, text: ctx.progress(None, text), lambda: _refuse_changes(ctx))
                ctx.progress(None, "fence, drain, flip")
                flip.passed = window.run()
            finally:
                flip.opening = window.opening
        # Before go, at the price of milliseconds of the pause: a rollback after a kill knows by it that the record may
        # have flipped, and how blue was sealed.
        back = {name: str(at) for name, at in flip.passed.back.items()}
        imprint = {name: dict(parts) for name, parts in flip.passed.imprint.items()}
        ctx.memory.note(CutoverResult, lambda known: replace(known, imprint=imprint, back=back or known.back))
        flip.watch = ctx.resolver.watch(ctx.env.config.dns.record, target)
        return True

    def not_followed(self, ctx: Context, late: Behind) -> Blocked:
        """Nothing is lost by going back: do it, so that everybody can write again, whatever their resolver says."""
        if not late.answered:
            return super().not_followed(ctx, late)
        ctx.memory.note(CutoverResult, lambda known: replace(known, taking_back=True))
        ctx.progress(None, f"{late.words[0]}: taking the flip back")
        stays = super().not_followed(ctx, late)
        try:
            back = flip_back_without_loss(ctx)
        except RotatorError as fault:
            words = f"Taking the flip back was cut off: {fault.what} {fault.why}"
            return _not_taken_back(ctx, stays, words, *fault.details)
        if not back:
            return _not_taken_back(ctx, stays)
        return Blocked(
            f"{late.words[0]}, so the flip was taken back.",
            why=f"{back}. Writes go on; this rotation cannot.",
            fix=f"Find out why the resolver stays. Clean up with: rotator rollback {ctx.env.name}; then rotate again.",
            details=late.words,
            code="flipped-back",
        )

    def undo(self, ctx: Context) -> str:
        """Flip back to blue: through the reverse replication without a loss, where it is open."""
        return flip_back_without_loss(ctx) or flip_back(ctx)

    def words(self, result: CutoverResult) -> str:
        pause = result.pause_seconds
        said = f"; writes paused for {pause * 1000:.0f} ms" if pause is not None else ""
        return super().words(result) + said


def _not_taken_back(ctx: Context, stays: Blocked, *words: str) -> Blocked:
    """Where nothing has been turned round, rotate can still go on; else only rollback can."""
    stays.details = (*stays.details, *words)
    if not _turned(ctx):
        ctx.memory.note(CutoverResult, lambda known: replace(known, taking_back=None))
        return stays
    stays.fix = f"Now: rotator rollback {ctx.env.name} brings all applications back to blue."
    if ctx.memory.result(CutoverResult).carried_back:
        stays.why = f"{ctx.rotation.blue} holds everything and takes writes; {ctx.rotation.green} is shut."
    return stays


def _turned(ctx: Context) -> bool:
    """Whether the reverse replication has been begun: the replication to green has ended with it."""
    noted = ctx.memory.result(ReverseReplicationResult)
    return bool(noted.begun or noted.opened or ctx.memory.result(CutoverResult).returned)


def _measured(ctx: Context, passed: Passed, seen: RecordWatch | None) -> Callable[[CutoverResult], CutoverResult]:
    """The pause from the last commit that blue could take to the flip of the record, by part; in seconds."""
    parts = dict(passed.parts)
    changed = seen.changed(SEEN_SECONDS) if seen is not None else None
    pause = None
    if changed is not None:
        pause = changed - passed.began
        parts["flip"] = pause - sum(parts.values())
    closed = ctx.clock.now() - timedelta(seconds=ctx.clock.monotonic() - passed.began)
    return lambda known: replace(
        known,
        closed_at=closed.isoformat(),
        pause_seconds=round(pause, 4) if pause is not None else None,
        parts={name: round(value, 4) for name, value in parts.items()},
        cut_off=tuple(passed.cut_off),
        sequences=passed.counters,
        set_back=tuple(passed.set_back),
    )


def _flipped(ctx: Context) -> bool:
    """Whether blue is shut behind a name that points at green. Raises Blocked when both take writes."""
    if ctx.databases is None:
        return True
    seen = look(ctx, Ahead.NO)
    if seen.fault is not None:
        raise seen.fault
    moves = judge(seen.sides).moves
    if Move.FLIP_TO_GREEN in moves:
        return True
    if Move.SEAL_BLUE in moves:
        return False
    raise Blocked(
        f"{ctx.rotation.blue} is not fenced although {ctx.env.config.dns.record} points at green.",
        why="Both may hold writes that the other does not have; the tool cannot decide which is right.",
        fix=f"Compare {ctx.rotation.blue} and {ctx.rotation.green} by hand first.",
        code="not-fenced",
    )


def reopen(ctx: Context) -> None:
    """Before a run goes on: a killed one may have left blue sealed with the name still on it. Writes go on meanwhile.

    First an apply that outlived its driver ends, as it may flip the record yet.
    """
    noted = ctx.memory.result(CutoverResult)
    if noted.taking_back and not _turned(ctx):
        # Cut off before anything was begun.
        ctx.memory.note(CutoverResult, lambda known: replace(known, taking_back=None))
    elif noted.taking_back:
        raise Blocked(
            "The flip was taken back, because the resolver did not follow; or that was cut off.",
            why="The replication to green has ended with it, so this rotation cannot go on.",
            fix=f"rotator rollback {ctx.env.name}; rotate again once the resolver follows.",
            code="flipped-back",
        )
    if not noted.opened_at or noted.applied:
        return
    settle(ctx)
    _lift_unflipped(ctx)


def take_back_unflipped(ctx: Context) -> None:
    """Before a rollback: the same, where go was never given. Then green has had no client, and nothing flows back.

    The imprint is noted right before go: with it, what green holds is carried back instead.
    """
    noted = ctx.memory.result(CutoverResult)
    if noted.opened_at and not (noted.applied or noted.imprint or noted.returned):
        _lift_unflipped(ctx)


def _lift_unflipped(ctx: Context) -> None:
    blue = server(ctx, ctx.rotation.blue)
    if is_at(ctx, ctx.rotation.blue) and blue is not None and blue.fence_state().fenced_tables:
        unfence(ctx)
        ctx.memory.note(CutoverResult, lambda known: replace(known, opened_at=None, imprint=None))


def _refuse_changes(ctx: Context) -> None:
    """Nothing that was compared may have been changed by DDL since; green must hold this rotation's data."""
    blue = server(ctx, ctx.rotation.blue)
    noted = ctx.memory.result(ValidateResult)
    channel = forward(ctx)
    ddl, fed = channel.ddl(), channel.foreign_channels()
    if fed:
        raise Blocked(
            f"Subscriptions are enabled on {ctx.rotation.blue}: {', '.join(fed)}.",
            why="Their changes bypass the fence, and would not reach green.",
            fix="ALTER SUBSCRIPTION ... DISABLE each of them, then run rotate again.",
            code="subscription",
        )
    if blue is None or fingerprint(blue.schema()) != noted.schema or tuple(ddl) != (noted.ddl or ()):
        raise Blocked(
            f"The schema of {ctx.rotation.blue} has changed since green was validated.",
            why="Logical replication carries no DDL, so green lacks the change.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again without DDL in between.",
            details=ddl,
            code="validate-schema",
        )
    if not green_server_is_this_lineage(ctx):
        raise Blocked(
            "Green's data does not carry this rotation's marker.",
            why="It was restored from another snapshot.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again.",
            code="foreign-green",
        )
