"""status: the state of the env, from the journal, AWS, DNS and the database. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rotator.commands.known import unknown as unknown_things
from rotator.commands.old_keys import old_keys, one_is_due
from rotator.commands.services import Services
from rotator.database.channel import Channel
from rotator.database.replication import Retention
from rotator.domain.errors import RotatorError
from rotator.domain.rotation import Strategy
from rotator.journal.document import Journal, Phase, RotationRecord
from rotator.journal.keeper import Preview
from rotator.journal.memory import JournalMemory
from rotator.journal.results import CutoverResult, GreenResult, OpenResult, ReverseReplicationResult, SoakResult
from rotator.journal.step_record import Status
from rotator.report.status import EnvStatus, StepLine
from rotator.rotation.begin import left_behind
from rotator.rotation.registry import retire_steps, rotation_steps
from rotator.rotation.steps.channels import backward, forward, reverse_closed, size
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.copy.keeping_up import standing
from rotator.rotation.steps.prepare import records

_NEXT = {
    Phase.ROTATING: "rotate",
    Phase.SOAKING: "retire",
    Phase.RETIRING: "retire",
    Phase.KEY_KEPT: "retire",
    Phase.KEY_DISABLED: "retire",
    Phase.RETIRED: "rotate",
    Phase.ROLLING_BACK: "rollback",
    Phase.ROLLED_BACK: "rotate",
}


def status(services: Services) -> EnvStatus:
    """Collect the status; a failed check does not stop the others."""
    with services.waiting("asking AWS and the database"):
        return _status(services)


def _status(services: Services) -> EnvStatus:
    running = services.holder()
    journal = services.keeper.load()
    record = journal.current() or journal.latest()
    unknown: list[str] = []
    target = _try(unknown, "the record", lambda: _target(services, journal))
    fenced = _try(unknown, "the fence", lambda: _fenced(services, record)) if record else None
    phase = record.phase if record else None
    left = left_behind(record) if record and phase is Phase.ROLLED_BACK else ()
    strange = _try(unknown, "whether the journal is complete", lambda: unknown_things(services, journal)) or ()
    unknown += [f"the journal does not know {thing}" for thing in strange]
    return EnvStatus(
        env=services.env.name,
        rotation_id=record.rotation.id if record else None,
        phase=str(phase) if phase else "the journal is missing" if strange else "never rotated",
        serving=journal.root.serving if journal.root else None,
        record=services.env.config.dns.record,
        record_target=target,
        also=tuple(_try(unknown, "the further records that flip", lambda: _also(services, journal)) or ()),
        at_blue=tuple(
            _try(unknown, "other records that lead to blue", lambda: _at_blue(services, journal, record)) or ()
        ),
        blue=record.rotation.blue if record else services.env.config.database.identifier,
        green=_green(services, record, unknown) if record else None,
        fenced=fenced,
        soak_until=record.result(SoakResult).until if record and phase is Phase.SOAKING else None,
        soak_over=record is not None and phase is Phase.SOAKING and _is_over(services, record),
        replication=tuple(_try(unknown, "the replication", lambda: _replication(services, record)) or ()),
        old_key="; ".join(old_keys(services, journal, record, unknown)),
        steps=_lines(record) if record else (),
        runs=tuple(run.words for run in record.runs) if record else (),
        journal=services.keeper.location,
        left_behind=left,
        next_command=f"restore the journal to {services.keeper.location}"
        if strange
        else None
        if running
        else f"rotator {'rollback' if left else _next(services, journal, record)} {services.env.name}",
        unknown=tuple(unknown),
        running=running,
        edited=() if running else _try(unknown, "the data file", lambda: services.keeper.edited(journal)) or (),
    )


def _next(services: Services, journal: Journal, record: RotationRecord | None) -> str:
    if record is None:
        return "plan"
    taken_back = record.result(CutoverResult).taking_back and record.phase is Phase.ROTATING
    if journal.current() is None and one_is_due(services, journal):
        return "retire"
    return "rollback" if taken_back else _NEXT[record.phase]


def _is_over(services: Services, record: RotationRecord) -> bool:
    until = record.result(SoakResult).until
    return until is not None and datetime.fromisoformat(until) <= services.clock.now()


def _green(services: Services, record: RotationRecord, unknown: list[str]) -> str | None:
    """Green's identifier if it exists. If AWS does not answer, the journal decides."""
    name = record.rotation.green
    try:
        return name if services.topology.find(name) is not None else None
    except RotatorError as error:
        unknown.append(f"green: {error.what}")
        return name if record.step(GreenResult.step).status is Status.DONE else None


def _lines(record: RotationRecord) -> tuple[StepLine, ...]:
    lines = []
    retire = retire_steps(record.rotation.strategy)
    for step in (*rotation_steps(record.rotation.strategy), *retire):
        known = record.step(step.name)
        if known.status == "none" and step in retire:
            continue
        result = step.words(known.result) if known.status == "done" else known.reason
        lines.append(StepLine(step.name, step.title, str(known.status), known.finished, result))
    return tuple(lines)


def _target(services: Services, journal: Journal) -> str | None:
    dns = services.env.config.dns
    zone = journal.root.endpoint.zone_id if journal.root else dns.zone_id
    zone = zone or services.dns.zone_id(dns.zone, private=dns.private_zone)
    found = services.dns.record(zone, dns.record) if zone else None
    return found.values[0] if found and found.values else None


def _also(services: Services, journal: Journal) -> Iterator[str]:
    """The further records that flip with the applications' own, and where they point."""
    for each in journal.root.also if journal.root is not None else ():
        found = services.dns.record(each.zone_id, each.name)
        yield f"{each.name} -> {found.values[0] if found and found.values else 'nothing'}"


def _at_blue(services: Services, journal: Journal, record: RotationRecord | None) -> tuple[str, ...]:
    """Records that no rotation flips and that point at blue, which is or will be fenced, and then deleted.

    Never during a run: Route 53 accepts five requests a second per account, and the flip needs some.
    """
    if services.holder() is not None:
        return ("not searched during a run",)
    blue = services.topology.find(record.rotation.blue if record else services.env.config.database.identifier)
    if blue is None:
        return ()
    found = records.at(services.dns, blue)
    if isinstance(found, records.NotListed):
        return (f"not known: {found.what}",)
    flipped = {each.key for each in journal.root.names} if journal.root is not None else set()
    own = services.env.config.dns.record
    return tuple(
        records.words(each)
        for each in found
        if records.key(each) not in flipped and not (journal.root is None and each.name == own)
    )


def _fenced(services: Services, record: RotationRecord) -> bool | None:
    if services.databases is None:
        return None
    blue = services.topology.find(record.rotation.blue)
    if blue is None or blue.address is None or blue.port is None:
        return None
    return services.databases.at(blue.address, blue.port).fence_state().on


def _replication(services: Services, record: RotationRecord | None) -> tuple[str, ...]:
    """The WAL that each slot retains, and whether the reverse replication is open (step way-back)."""
    if record is None or record.rotation.strategy is not Strategy.REPLICATE or services.databases is None:
        return ()
    if record.blue_gone or record.step(OpenResult.step).status is Status.NONE:
        return ()
    ctx = services.context(JournalMemory(Preview(services.keeper.load()), record.rotation.id), record, Options())
    lines = [
        f"{side}: slot {kept.name} retains {size(kept.retained)} of WAL"
        + _idle(kept, running=services.holder() is not None)
        for side, channel in _channels(ctx)
        for kept in channel.retention()
    ]
    lines += _standing(ctx)
    if record.step(CutoverResult.step).status is Status.DONE and record.phase is not Phase.ROLLED_BACK:
        closed = reverse_closed(ctx)
        state = f"CLOSED: {closed}" if closed else "open: rollback loses no write"
        lines.append(f"reverse replication {state}")
    return tuple(lines)


def _standing(ctx: Context) -> tuple[str, ...]:
    """The replication status: a side that does not follow now, and whether it recovers by itself."""
    if ctx.topology.find(ctx.rotation.green) is None:
        return ()
    if ctx.memory.result(ReverseReplicationResult).opened:
        return standing(ctx, backward(ctx), ctx.rotation.blue)
    return standing(ctx, forward(ctx), ctx.rotation.green)


def _channels(ctx: Context) -> Iterator[tuple[str, Channel]]:
    yield ctx.rotation.blue, forward(ctx)
    if ctx.topology.find(ctx.rotation.green) is not None:
        yield ctx.rotation.green, backward(ctx)


def _idle(kept: Retention, *, running: bool) -> str:
    if kept.lost:
        return " (LOST)"
    if running:
        return "" if kept.active else ", which nobody reads yet"
    return (
        "" if kept.active else " and NOBODY READS IT: the WAL grows until rotate resumes, or rollback removes the slot"
    )


def _try(unknown: list[str], what: str, look: Any) -> Any:
    try:
        return look()
    except RotatorError as error:
        unknown.append(f"{what}: {error.what}")
        return None
