"""Cutover: the record flips from blue to green, inside the apply's gate, while blue is fenced."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rotator.database import compare
from rotator.database.interface import DatabaseServer
from rotator.domain import root_edits as edits
from rotator.domain.database import EndedClients
from rotator.domain.errors import Blocked
from rotator.domain.root import Stage
from rotator.journal.results import CutoverResult, FenceResult, UngateResult, ValidateResult
from rotator.rotation.safety import Move, Name, Side, Sides, judge
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.green import green_server_is_this_lineage
from rotator.rotation.steps.copy.validate import fingerprint
from rotator.rotation.steps.cutover.fence import APPROVAL, open_writes
from rotator.rotation.steps.cutover.following import Behind, behind, unseen
from rotator.rotation.steps.cutover.sides import side_of
from rotator.rotation.steps.observation import Observation, absent, conflict, satisfied
from rotator.rotation.steps.reverse.flip_back import flip_back
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import adrift, elsewhere, instance, points, server

NAMED = 5
"""So many sequences are named in a line for people."""


class Cutover(Step[CutoverResult]):
    """Point the applications' name at green. The point of no return for writes: from here on green takes them."""

    name = "cutover"
    records = CutoverResult
    title = "Flip the record to green"
    commits = "rollback after it loses what is written on green"
    estimate_seconds = 45

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when Route 53 points at green and the state says so; conflict when it points elsewhere."""
        green = elsewhere(ctx, ctx.rotation.green)
        lost = tuple(words for words in elsewhere(ctx, ctx.rotation.blue) if words in green)
        lost = (*lost, *(points(record.name, target) for record, target in adrift(ctx)))
        if lost:
            return conflict(
                f"{', '.join(lost)}, neither at blue nor at green.",
                "Somebody changed the DNS record: put it back on blue; or, when it is one of [dns] also and is to "
                "stay where it is, take it out of there and run it again; or rollback.",
            )
        applied = ctx.data.serving == ctx.rotation.target and ctx.memory.result(CutoverResult).applied
        if applied and not green:
            return satisfied()
        return absent("the record points at blue")

    def act(self, ctx: Context) -> None:
        """Apply with the gate."""
        after = edits.serving(ctx.data, ctx.rotation.target)
        ctx.apply_through_gate(Stage.CUTOVER, after, lambda: ready_to_flip(ctx))
        now = str(ctx.clock.now())
        ctx.memory.note(CutoverResult, lambda known: replace(known, applied=True, flipped_at=known.opened_at or now))

    def verify(self, ctx: Context, result: CutoverResult) -> CutoverResult:
        """DNS answers green; a write through the name lands on green; blue's old connections are ended."""
        wanted = (instance(ctx, ctx.rotation.green).address or "").lower()
        late = behind(ctx, wanted)
        if late is not None:
            raise self.not_followed(ctx, late)
        resolved = None if unseen(ctx) else wanted
        landed = _probe(ctx)
        blue = server(ctx, ctx.rotation.blue)
        clients = blue.end_clients() if blue is not None else EndedClients(0)
        also = [record.name for record in ctx.data.also]
        return replace(
            result,
            also=tuple(also),
            resolved=resolved,
            write_landed_on_green=landed,
            ended_clients=clients.ended,
            left_clients=clients.left or None,
        )

    def not_followed(self, ctx: Context, late: Behind) -> Blocked:
        """The resolver stays at blue, which is fenced: who sees green writes, who does not is refused. Say what to do.

        What was written on green would be lost by a rollback, so it is for people to choose.
        """
        name, green = ctx.env.name, ctx.rotation.green
        return Blocked(
            f"{late.words[0]}, and blue is fenced: those who ask this resolver cannot write.",
            why=f"Route 53 has the new value. Writes are possible on {green}, for everybody who sees it.",
            fix=f"Now: let the resolver follow (its cache, its zone) and run rotator rotate {name}; or put everybody "
            f"back on blue: rotator rollback {name}",
            details=late.words,
            code="dns-not-green",
        )

    def undo(self, ctx: Context) -> str:
        """Flip back to blue; with strategy snapshot, writes made on green since the flip stay behind."""
        return flip_back(ctx)

    def words(self, result: CutoverResult) -> str:
        landed = {True: "a write through it landed on green", None: "writes through it not probed"}
        seen = f"resolves to {result.resolved}" if result.resolved else "what it resolves to was not checked"
        back = compare.capped(result.set_back or (), NAMED)
        more = f"; sequences set back on blue since the snapshot: {', '.join(back)}" if back else ""
        if result.left_clients:
            more += f"; {result.left_clients} old connections to blue could not be ended: their writes are refused"
        if result.also:
            seen = f"{seen}, and so do {', '.join(result.also)}"
        return f"{seen}; {landed[result.write_landed_on_green]}{more}"


def ready_to_flip(ctx: Context) -> Literal[True]:
    """The gate's question, asked inside the apply: is blue shut and unchanged, was green restored from this rotation's
    snapshot?

    Opens green last. Raises Blocked (the gate then answers abort, and nothing has changed).
    """
    blue, green = server(ctx, ctx.rotation.blue), server(ctx, ctx.rotation.green)
    if blue is None or green is None:
        fence = ctx.memory.result(FenceResult)
        if fence.lifted_at or (fence.by != "operator" and APPROVAL not in ctx.options.approvals):
            raise Blocked("The writes to blue are not stopped.", fix="See step fence.", code="not-fenced")
        ctx.memory.note(CutoverResult, lambda known: replace(known, opened_at=ctx.clock.now().isoformat()))
        return True
    _still_fenced(ctx, blue)
    if not green_server_is_this_lineage(ctx) and not ctx.memory.result(CutoverResult).opened_at:
        raise Blocked(
            "Green's data does not carry this rotation's marker.",
            why="Its snapshot was taken before the fence, or of another database.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again.",
            code="foreign-green",
        )
    # A bare nextval passes the fence: green must not give out a number that blue has given out since the snapshot.
    positions = blue.counters()
    back = compare.set_back(positions, green.counters())
    green.raise_counters(positions)
    ctx.memory.note(
        CutoverResult, lambda known: replace(known, opened_at=ctx.clock.now().isoformat(), set_back=tuple(back))
    )
    green.mark("green")
    open_writes(green)
    return True


def _still_fenced(ctx: Context, blue: DatabaseServer) -> None:
    state = blue.fence_state()
    # Green counts as shut: what is asked is whether it may be opened.
    safe = judge(Sides(side_of(state), Side.SHUT, Name.BLUE)).moves
    if Move.OPEN_GREEN not in safe or state.rotation_id != ctx.rotation.identity:
        raise Blocked(
            f"{ctx.rotation.blue} is no longer fenced.",
            why="Writes may have been accepted since the snapshot; flipping now would lose them.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again.",
            details=state.open_tables[:20],
            code="not-fenced",
        )
    if fingerprint(blue.schema()) != ctx.memory.result(ValidateResult).schema:
        raise Blocked(
            f"The schema of {ctx.rotation.blue} has changed since green was validated.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again.",
            code="validate-schema",
        )


def _probe(ctx: Context) -> bool | None:
    green = server(ctx, ctx.rotation.green)
    if ctx.databases is None or green is None or unseen(ctx):
        return None
    found = instance(ctx, ctx.rotation.green)
    through = ctx.databases.through(ctx.env.config.dns.record, found.address or "", found.port or 5432)
    role, accepted = through.probe(ctx.rotation.identity)
    if role != "green" or not accepted or not green.has_probe(ctx.rotation.identity):
        raise Blocked(
            "A write through the applications' name did not land on green.",
            why=f"Behind the name the marker says {role!r}, and the write was {'accepted' if accepted else 'refused'}.",
            fix=f"Look at {ctx.env.config.dns.record}; then run rotate again, or rotator rollback {ctx.env.name}.",
            code="probe-failed",
        )
    return True


class Ungate(Step[UngateResult]):
    """Take the gate out of the root. The records keep the short TTL for as long as a rollback may flip them back."""

    name = "ungate"
    records = UngateResult
    title = "Take the gate out of the root"
    rechecked_until = UngateResult.step
    estimate_seconds = 40

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when neither the data nor the state has a gate."""
        gates = [a for a in ctx.stages.state_addresses() if ".gate" in a]
        if gates or ctx.data.gate is not None or ctx.midway(self.name):
            return absent("the gate is still in the root")
        return satisfied(UngateResult(ttl=ctx.data.endpoint.ttl))

    def act(self, ctx: Context) -> None:
        """Apply without it."""
        ctx.apply(Stage.UNGATE, replace(ctx.data, gate=None))

    def words(self, result: UngateResult) -> str:
        return f"the TTL stays {result.ttl} s until retire"
