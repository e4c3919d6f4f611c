"""rotate, rollback: run a rotation, or its reversal, through the engine; each ends in a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rotator.commands.announce import let_go_aloud
from rotator.commands.earlier import clean_earlier
from rotator.commands.half_retired import take_back_unprotect
from rotator.commands.kept_keys import follow_on_the_way
from rotator.commands.known import followed_journal, whole_journal
from rotator.commands.services import Services
from rotator.commands.signed import last_run, sign
from rotator.commands.supervise import supervised
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.domain.errors import DatabaseError, RotatorError
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results import (
    AdoptResult,
    CutoverResult,
    FenceResult,
    GreenResult,
    KeyResult,
    PreflightResult,
    ReencryptResult,
    ReverseReplicationResult,
    SnapshotResult,
    ValidateResult,
)
from rotator.journal.results_retire import (
    CloseWayBackResult,
    FinalReencryptResult,
    FinalSnapshotResult,
    RetireSnapshotsResult,
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

_Canary = tuple[Mapping[str, Any] | None, tuple[str, ...]]
"""The write canary's report, or None and why there is none."""

UNKNOWN = "Whether writes were lost is NOT known."

_AROUND = timedelta(seconds=0.5)
"""The last acknowledged write may be a little older than the fence."""


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

    heard: list[_Canary] = []

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
        heard.append(_canary(services))
        # Checked before the phase changes: after a bad report, the same command must not begin another rotation.
        _refuse_lost_writes(services, heard[0])
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


def summarise(
    services: Services, memory: JournalMemory, verb: str, began: float, next_command: str, heard: _Canary
) -> Summary:
    """The result of the run, from the journal and the canary's report."""
    record, env = memory.record, services.env
    names, key, validated = record.rotation, record.result(KeyResult), record.result(ValidateResult)
    flip = record.result(CutoverResult)
    wall = services.clock.monotonic() - began
    # In an apply the provider waits for AWS; the time of Terraform itself is that of its other runs.
    applying = sum(seconds for verb_, seconds in services.stages.runs if verb_ == "apply")
    terraform = sum(seconds for verb_, seconds in services.stages.runs if verb_ != "apply")
    waited = applying + services.clock.waited
    canary, unheard = heard
    # A rollback's own pause is not measured, and the flip's says nothing of it.
    flipped = record if verb != "rollback" else None
    return Summary(
        verb=verb,
        env=env.name,
        rotation_id=names.id,
        strategy=str(names.strategy),
        record=env.config.dns.record,
        blue=names.blue,
        green=names.green,
        journal=services.keeper.location,
        run=last_run(record),
        old_key_arn=key.old_key_arn,
        new_key_arn=key.key_arn,
        snapshots=_snapshots(record),
        tables_verified=validated.tables,
        rows_verified=validated.rows,
        write_pause_seconds=_pause(flipped) if flipped else None,
        pause_parts=(flip.parts or {}) if flipped else {},
        cut_off=(flip.cut_off or ()) if flipped else (),
        canary=canary,
        client_pause_seconds=_client_pause(flipped, canary) if flipped else None,
        wall_seconds=wall,
        waited_seconds=waited,
        terraform_seconds=terraform,
        own_seconds=max(0.0, wall - waited - terraform),
        next_command=next_command,
        notes=(*_notes(record), *unheard, *_way_back(record), *_to_commit(services)),
    )


def _way_back(record: RotationRecord) -> tuple[str, ...]:
    """What strategy replicate leaves running during the soak: for alarms."""
    open_, closed = record.step(ReverseReplicationResult.step).status, record.step(CloseWayBackResult.step).status
    if record.phase is not Phase.SOAKING or open_ is not Status.DONE or closed is Status.DONE:
        return ()
    names = record.rotation
    return (
        f"until retire {names.green} retains WAL for {names.blue}: set an alarm on its free storage, and check it "
        f"with: rotator status {names.env}",
    )


def _to_commit(services: Services) -> tuple[str, ...]:
    """A local journal and its data file are files of the env; those of a sandbox are deleted with it."""
    if services.env.config.sandbox is not None:
        return ()
    return (f"commit {services.env.path}: {JOURNAL_FILE} and {DATA_FILE} belong together",)


def heard_of_canary(services: Services) -> _Canary:
    """The write canary's report; tells the user what it waits for."""
    with services.waiting("waiting for the write canary's report"):
        return _canary(services)


def _canary(services: Services) -> _Canary:
    """The canary's report, or the reason why there is none: never treated as "nothing lost"."""
    if services.canary is None:
        return None, ()
    try:
        report = services.canary()
        if report.get("lost") is None:
            return report, (
                f"The canary's tables could not be checked: {UNKNOWN} {report.get('problem') or ''}".strip(),
            )
        return report, ()
    except RotatorError as error:
        return None, (f"{error.what} {UNKNOWN} {error.why}",)


def _snapshots(record: RotationRecord) -> dict[str, str]:
    roles: dict[str, type[SnapshotResult]] = {
        "source": SnapshotResult,
        "re-encrypted": ReencryptResult,
        "final": FinalSnapshotResult,
        "final, re-encrypted": FinalReencryptResult,
    }
    deleted = record.result(RetireSnapshotsResult).deleted or ()
    found = {role: record.result(kind).snapshot for role, kind in roles.items()}
    return {role: name for role, name in found.items() if name and name not in deleted}


def _pause(record: RotationRecord) -> float | None:
    measured = record.result(CutoverResult).pause_seconds
    if measured is not None:
        return float(measured)
    fenced = record.result(FenceResult).fenced_at
    flipped = record.result(CutoverResult).flipped_at
    if not fenced or not flipped:
        return None
    return (datetime.fromisoformat(flipped) - datetime.fromisoformat(fenced)).total_seconds()


def _client_pause(record: RotationRecord, canary: Mapping[str, Any] | None) -> float | None:
    """The canary's largest pause that began around the window; None if its report does not have it."""
    flip = record.result(CutoverResult)
    closed, flipped = flip.closed_at, flip.flipped_at
    if not closed or not flipped or not canary:
        return None
    first = datetime.fromisoformat(closed) - _AROUND
    last = datetime.fromisoformat(flipped)
    found = (p for p in canary.get("pauses") or () if first <= datetime.fromisoformat(p["started"]) <= last)
    return max((float(pause["seconds"]) for pause in found), default=None)


def _notes(record: RotationRecord) -> tuple[str, ...]:
    warnings = record.result(PreflightResult).warnings or ()
    skipped = tuple(
        f"skipped {name}: {step.reason}" for name, step in record.steps.items() if step.status is Status.SKIPPED
    )
    undone = tuple(f"{name}: {s.reason}" for name, s in record.steps.items() if s.status is Status.UNDONE and s.reason)
    return (*warnings, *_new_secret(record), *skipped, *undone)


def _new_secret(record: RotationRecord) -> tuple[str, ...]:
    """Where the master password is now, when RDS manages it."""
    made = record.result(GreenResult)
    if not made.secret_arn or record.phase is Phase.ROLLED_BACK:
        return ()
    return (
        f"master password: {record.rotation.green} has a secret of its own, {made.secret_arn} (before: "
        f"{made.old_secret_arn}); switch all readers of the old secret to it",
    )


def _refuse_lost_writes(services: Services, heard: _Canary) -> None:
    report = heard[0] or {}
    if report.get("lost") or report.get("doubled"):
        raise DatabaseError(
            f"The write canary reports {report.get('lost')} lost and {report.get('doubled')} doubled writes.",
            why="The rotation is done, but not every write of the canary is there exactly once.",
            fix=f"Keep blue and every snapshot, and compare. Then: rotator rollback {services.env.name}, or rotate "
            "again to check the canary once more.",
            code="canary",
        )
