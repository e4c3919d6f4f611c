"""rotate, rollback: run a rotation, or its reversal, through the engine; each ends in a summary."""

from __future__ import annotations

from dataclasses import replace

from rotator.commands.announce import let_go_aloud
from rotator.commands.canary import Heard, heard_of_canary, of_canary, refuse_lost_writes
from rotator.commands.earlier import clean_earlier
from rotator.commands.half_retired import take_back_unprotect
from rotator.commands.kept_keys import follow_on_the_way
from rotator.commands.known import followed_journal, whole_journal
from rotator.commands.outcome import summarise
from rotator.commands.services import Services
from rotator.commands.signed import sign
from rotator.commands.supervise import supervised
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results import (
    AdoptResult,
    CutoverResult,
)
from rotator.journal.step_record import Status, StepRecord
from rotator.report.summary import Summary
from rotator.rotation.begin import begin, goes_on, to_roll_back
from rotator.rotation.registry import Back, last_steps, rollback_steps, rotation_steps
from rotator.rotation.steps.context import Options
from rotator.rotation.steps.copy.keeping_up import resume
from rotator.rotation.steps.copy.quarantine import at_once
from rotator.rotation.steps.cutover.outlived import settle
from rotator.rotation.steps.cutover.switch import reopen, take_back_unflipped
from rotator.rotation.steps.cutover.unheard import refuse_unheard_of_flip
from rotator.rotation.steps.prepare.choose import decide
from rotator.rotation.steps.prepare.letting_go import leaving, strays
from rotator.rotation.steps.reverse.flip_back import refuse_unasked
from rotator.rotation.steps.reverse.return_flip import open_again


def rotate(services: Services, options: Options) -> Summary:
    """Run the active rotation, or a new one, to its soak. Raises RotatorError; the journal keeps the finished work."""
    began = services.clock.monotonic()
    now = services.clock.now().isoformat("T", "seconds")
    known = whole_journal(services)
    resumes = goes_on(known)
    if not resumes:
        known = followed_journal(services)
    journal, record = begin(services.env, known, now, services.nonce())
    services.keeper.save(journal)
    with services.waiting("looking at what earlier rotations left"):
        clean_earlier(services, record, options)
    memory = JournalMemory(services.keeper, record.rotation.id)
    sign(services, memory, "rotate")
    with services.waiting("choosing the strategy: looking at blue and its database"):
        memory.decide_strategy(decide(services.context(memory, record, options)))
    ctx = services.context(memory, memory.record, options)
    steps = rotation_steps(ctx.rotation.strategy)
    engine = services.engine(memory)

    heard: list[Heard] = []

    def work() -> None:
        let_go_aloud(services.reporter, ctx, leaving(ctx))
        refuse_unheard_of_flip(ctx)
        if ctx.rotation.strategy is Strategy.REPLICATE:
            reopen(ctx)
            at_once(ctx)
            resume(ctx)
        if resumes:
            follow_on_the_way(services, memory)
        engine.run(ctx, steps)
        heard.append(of_canary(services))
        # Checked before the phase changes: after a bad report, the same command must not begin another rotation.
        refuse_lost_writes(services, heard[0])
        memory.phase(Phase.SOAKING)

    supervised(services, memory, ctx, engine, steps, work, lifts=True)
    return summarise(services, memory, "rotate", began, f"rotator retire {services.env.name}", heard[0])


def taken_back(services: Services) -> RotationRecord:
    """What rollback would take back, by the journal alone. Raises Blocked when there is none."""
    return to_roll_back(services.env, services.keeper.load())


def rollback(services: Services, options: Options) -> Summary:
    """Revert the youngest rotation, as far as it came."""
    began = services.clock.monotonic()
    record = to_roll_back(services.env, whole_journal(services))
    memory = JournalMemory(services.keeper, record.rotation.id)
    sign(services, memory, "rollback")
    ctx = services.context(memory, record, replace(options, taking_back=True))
    steps = (*rollback_steps(ctx.rotation.strategy), *last_steps())
    engine = services.engine(memory)

    def work() -> None:
        if record.phase is Phase.ROLLED_BACK:
            clean_up()
            return
        settle(ctx)
        let_go_aloud(services.reporter, ctx, strays(ctx))
        refuse_unheard_of_flip(ctx)
        take_back_unprotect(ctx, memory)
        open_again(ctx)
        if ctx.rotation.strategy is Strategy.REPLICATE:
            take_back_unflipped(ctx)
        refuse_unasked(ctx)
        memory.phase(Phase.ROLLING_BACK)
        if memory.pending() is not None:
            follow_on_the_way(services, memory)
        if memory.root() is not None:
            memory.commit()
        # Blue takes writes again before any check that can wait; a flip back cannot be planned before it.
        first: tuple[Back, ...] = () if memory.began(CutoverResult.step) else (Back.NAME, Back.WRITES)
        engine.undo(ctx, rollback_steps(ctx.rotation.strategy, *first) if first else ())
        follow_on_the_way(services, memory)
        engine.undo(ctx, rollback_steps(ctx.rotation.strategy, *(set(Back) - set(first))))
        if memory.root() is not None and memory.record.step(AdoptResult.step).status is Status.DONE:
            services.stages.check_clean()
        clean_up()
        memory.phase(Phase.ROLLED_BACK)

    def clean_up() -> None:
        for step in last_steps():
            memory.put(step.name, StepRecord())  # it is looked for anew
        engine.run(ctx, last_steps())

    supervised(services, memory, ctx, engine, steps, work)
    return summarise(
        services, memory, "rollback", began, f"rotator rotate {services.env.name}", heard_of_canary(services)
    )
