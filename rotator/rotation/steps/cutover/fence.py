"""The fence: blue takes no more writes. And the one automatic undo: lifting it on any path that does not flip."""

from __future__ import annotations

from dataclasses import replace

from rotator.database.interface import DatabaseServer
from rotator.domain.errors import Blocked, DatabaseError
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult, FenceResult
from rotator.rotation.safety import Move, judge, way
from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.following import before_fence
from rotator.rotation.steps.cutover.sides import Seen, look
from rotator.rotation.steps.observation import Observation, absent, conflict, needs_approval, satisfied
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import elsewhere, instance, server

APPROVAL = Approval.FENCED


class Fence(Step[FenceResult]):
    """Stop writes on blue until the flip (strategy snapshot: the write pause begins here)."""

    name = "fence"
    records = FenceResult
    title = "Fence blue: writes pause"
    rechecked_until = CutoverResult.step
    estimate_seconds = 3

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when blue's catalogs say that every table refuses writes, by this rotation's fence."""
        blue = server(ctx, ctx.rotation.blue)
        if blue is None:
            return self._lifted(ctx) or self._resolvers(ctx) or self._operator(ctx)
        state = blue.fence_state()
        if state.on and state.rotation_id == ctx.rotation.identity:
            return satisfied(replace(ctx.memory.result(FenceResult), by="rotator", tables=state.fenced_tables))
        if state.fenced_tables and state.rotation_id != ctx.rotation.identity:
            return conflict(
                f"{ctx.rotation.blue} is fenced by another rotation ({state.rotation_id}).",
                "Finish or roll back that rotation first.",
            )
        return self._lifted(ctx) or self._resolvers(ctx) or absent(f"{ctx.rotation.blue} takes writes")

    def _lifted(self, ctx: Context) -> Observation | None:
        lifted = ctx.memory.result(FenceResult).lifted_at
        if not lifted:
            return None
        return conflict(
            f"the fence was lifted at {lifted}, and {ctx.rotation.blue} has taken writes since.",
            f"Take this rotation back (rotator rollback {ctx.env.name}), then rotate again.",
        )

    def _resolvers(self, ctx: Context) -> Observation | None:
        return None if ctx.memory.is_done(self.name) else before_fence(ctx)

    def _operator(self, ctx: Context) -> Observation:
        if APPROVAL in ctx.options.approvals or ctx.memory.is_done(self.name):
            return satisfied(replace(ctx.memory.result(FenceResult), by="operator", tables=None))
        return needs_approval(
            f'database.access is "none", so you must stop all writes to {ctx.rotation.blue} yourself.',
            f"Stop the writers, make sure, then run: rotator rotate {ctx.env.name} --approve {APPROVAL}",
        )

    def act(self, ctx: Context) -> None:
        """Fence within the budget or not at all, and mark the data as blue's."""
        blue = server(ctx, ctx.rotation.blue)
        if blue is None:
            raise Blocked("The fence needs a connection.", fix='Set [database] access = "direct".', code="no-access")
        ctx.progress(None, "waiting for open transactions")
        blue.fence(ctx.rotation.identity, ctx.env.config.rotation.fence_budget)
        blue.mark("blue")

    def verify(self, ctx: Context, result: FenceResult) -> FenceResult:
        """Note when the pause began."""
        return replace(result, fenced_at=result.fenced_at or ctx.clock.now().isoformat())

    def undo(self, ctx: Context) -> str:
        """Let writes through on blue again, as long as the record points at it. From then on there is no going on."""
        ctx.memory.note(FenceResult, lambda known: replace(known, lifted_at=ctx.clock.now().isoformat()))
        return unfence(ctx)

    def words(self, result: FenceResult) -> str:
        if result.by == "operator":
            return "writes stopped by the operator (not checked: database.access is none)"
        return f"{result.tables} tables refuse writes"


def unfence(ctx: Context) -> str:
    """Lift blue's fence, safely: never while the record points at green, and only once green is shut (I2).

    A record change that was sent and timed out may still take effect later; so green refuses writes before blue takes
    them. The worst case is then refused writes, never two writable databases. Raises Blocked when the record does not
    point at blue, or green cannot be shut.
    """
    away = elsewhere(ctx, instance(ctx, ctx.rotation.blue).identifier)
    if away:
        raise _stays(ctx, away)
    blue = server(ctx, ctx.rotation.blue)
    if blue is None:
        return "writes were stopped by the operator: start the writers again"
    if not blue.fence_state().fenced_tables:
        # Also takes away what a fence that was cut off may have left, such as its functions.
        left = open_writes(blue, busy=_busy(ctx))
        return f"{ctx.rotation.blue} takes writes{left}"
    seen = look(ctx)
    moves = way(seen.sides, Move.UNFENCE_BLUE, {Move.SHUT_GREEN})
    if not moves:
        raise _cannot_be_opened(ctx, seen)
    if Move.SHUT_GREEN in moves:
        _shut_green(ctx)
    left = open_writes(blue, busy=_busy(ctx))
    return f"fence on {ctx.rotation.blue} lifted: it takes writes again{left}"


def _stays(ctx: Context, away: tuple[str, ...]) -> Blocked:
    return Blocked(
        f"The fence on {ctx.rotation.blue} stays: {', '.join(away)}.",
        why="Clients that read green would miss writes on blue.",
        fix=f"Finish: rotator rollback {ctx.env.name}"
        if ctx.options.taking_back
        else f"Finish: rotator rotate {ctx.env.name}; or take it back: rotator rollback {ctx.env.name}",
        code="fence-stays",
    )


def _cannot_be_opened(ctx: Context, seen: Seen) -> Blocked:
    """No safe way was found: green cannot be looked at, or the records have moved since."""
    if seen.fault is not None:
        return _not_shut(ctx, seen.fault)
    away = elsewhere(ctx, ctx.rotation.blue)
    return _stays(ctx, away or (judge(seen.sides).why_not[Move.UNFENCE_BLUE],))


def _busy(ctx: Context) -> bool:
    """Strategy replicate: writers are at work on both sides of the moment for which they waited."""
    return ctx.rotation.strategy is Strategy.REPLICATE


def open_writes(server_: DatabaseServer, *, busy: bool = False) -> str:
    """Let writes through; words about idle leftovers that others keep (they refuse nothing), else empty."""
    try:
        server_.unfence(busy=busy)
    except DatabaseError as fault:
        if fault.code != "fence-leftovers":
            raise
        return f" (idle triggers are left on {len(fault.details)} tables that are being read)"
    return ""


def _shut_green(ctx: Context) -> None:
    """Before blue is opened. When green cannot be shut, blue stays shut."""
    green = server(ctx, ctx.rotation.green)
    try:
        if green is not None:
            green.fence(ctx.rotation.identity, ctx.env.config.rotation.fence_budget)
    except DatabaseError as fault:
        raise _not_shut(ctx, fault) from fault


def _not_shut(ctx: Context, fault: DatabaseError) -> Blocked:
    return Blocked(
        f"{ctx.rotation.blue} stays shut: {ctx.rotation.green} cannot be shut first.",
        why=f"{fault.what} {fault.why}",
        fix="Make it answer, or stop or delete it; then run the same command again.",
        code="fence-stays",
    )
