"""retire: delete the oldest blue that still exists; then check every old key that waits, each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from rotator.commands.announce import let_go_aloud
from rotator.commands.canary import heard_of_canary
from rotator.commands.disabled_key import take_note
from rotator.commands.known import followed_journal
from rotator.commands.outcome import summarise
from rotator.commands.services import Services
from rotator.commands.signed import sign
from rotator.commands.supervise import supervised
from rotator.domain.errors import Blocked, KeyStaysDisabled, RotatorError, WaitingForApproval
from rotator.journal.document import Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import DisableKeyResult, RetireKeyResult, RetireSnapshotsResult
from rotator.journal.step_record import Status, StepRecord
from rotator.report.summary import Summary
from rotator.rotation.begin import to_retire
from rotator.rotation.engine import Engine
from rotator.rotation.registry import key_steps, retire_steps
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.prepare.letting_go import strays
from rotator.rotation.steps.step import AnyStep

_WAITS = (KeyStaysDisabled, WaitingForApproval)


def waiting(services: Services) -> tuple[RotationRecord, ...]:
    """What retire would work on, by the journal alone. Raises Blocked when there is nothing."""
    return to_retire(services.env, services.keeper.load())


def retire(services: Services, options: Options) -> Summary:
    """Retire the oldest soaking rotation's blue, and the old keys of all rotations whose blue is gone.

    Raises the most serious of their errors, with the others in its details.
    """
    began = services.clock.monotonic()
    todo = to_retire(services.env, followed_journal(services))
    memories = {record.rotation.id: JournalMemory(services.keeper, record.rotation.id) for record in todo}
    stops: dict[str, RotatorError] = {}
    for record in todo:
        memory = memories[record.rotation.id] = JournalMemory(services.keeper, record.rotation.id)
        sign(services, memory, "retire")
        try:
            _one(services, memory, options)
        except RotatorError as stop:
            stops[record.rotation.id] = stop
            if not _leaves_others_alone(record, memory, stop):
                break
    if stops:
        raise _weightiest(stops, memories.values())
    first, *others = memories.values()
    summary = summarise(
        services, first, "retire", began, f"rotator status {services.env.name}", heard_of_canary(services)
    )
    return replace(summary, notes=(*summary.notes, *map(_outcome, others)))


def _one(services: Services, memory: JournalMemory, options: Options) -> None:
    """One rotation: all steps, or only those of the key once its blue is gone."""
    gone = memory.record.blue_gone
    ctx = services.context(memory, memory.record, options)
    steps = key_steps() if gone else retire_steps(ctx.rotation.strategy)
    engine = services.engine(memory)

    def work() -> None:
        let_go_aloud(services.reporter, ctx, strays(ctx))
        if gone:
            _look_anew(memory)
            take_note(ctx, memory)
            _to_the_end(ctx, memory, engine, steps)
        else:
            engine.run(ctx, steps[:1])
            _to_the_end(ctx, memory, engine, steps[1:])

    supervised(services, memory, ctx, engine, steps, work)


def _look_anew(memory: JournalMemory) -> None:
    """What keeps the key may have become deletable; what is being deleted already is not asked for again."""
    step, under_way = RetireSnapshotsResult.step, (Status.INTENDED, Status.ACTED)
    known = memory.record.step(step)
    memory.put(step, replace(known, status=Status.INTENDED) if known.status in under_way else StepRecord())


def _to_the_end(ctx: Context, memory: JournalMemory, engine: Engine, steps: Sequence[AnyStep]) -> None:
    memory.phase(Phase.RETIRING)
    try:
        engine.run(ctx, steps)
    except (Exception, KeyboardInterrupt):
        if memory.record.blue_gone:
            # Only the key is left: another rotation may begin meanwhile.
            with suppress(RotatorError):  # the journal cannot be written: that is this error, or the next
                memory.phase(Phase.KEY_DISABLED if memory.is_done(DisableKeyResult.step) else Phase.KEY_KEPT)
        raise
    memory.phase(Phase.KEY_KEPT if memory.result(RetireKeyResult).stays else Phase.RETIRED)


def _leaves_others_alone(record: RotationRecord, memory: JournalMemory, stop: RotatorError) -> bool:
    """Whether the next rotation's key may be checked: no stage is half applied, and the cause is this one's own."""
    if memory.pending() is not None:
        return False
    if isinstance(stop, _WAITS) or stop.code == "soak-not-over":
        return True
    return record.blue_gone and (isinstance(stop, Blocked) or stop.code == "aws-access-denied")


def _weightiest(stops: dict[str, RotatorError], memories: Iterable[JournalMemory]) -> RotatorError:
    """The most serious stop: a failure before a question, a question before a wait."""

    def weight(stop: RotatorError) -> int:
        return next((number for number, kind in enumerate(_WAITS) if isinstance(stop, kind)), len(_WAITS))

    chosen = max(stops, key=lambda rotation: weight(stops[rotation]))
    told = (
        f"rotation {rotation}: {stops[rotation].what}" if rotation in stops else _outcome(memory)
        for memory in memories
        if (rotation := memory.record.rotation.id) != chosen
    )
    stop = stops[chosen]
    stop.details = (*stop.details, *told)
    return stop


def _outcome(memory: JournalMemory) -> str:
    phase = memory.record.phase
    words = "its old key is scheduled for deletion" if phase is Phase.RETIRED else _reason(memory) or str(phase)
    return f"rotation {memory.record.rotation.id}: {words}"


def _reason(memory: JournalMemory) -> str:
    return memory.record.step(RetireKeyResult.step).reason
