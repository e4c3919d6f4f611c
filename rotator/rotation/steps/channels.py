"""The two directions of a rotation's replication, and how it stands, for the steps that share them."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.channel import Channel
from rotator.database.interface import DatabaseOpener
from rotator.database.replication import Budgets
from rotator.domain.errors import Blocked, RotatorError
from rotator.domain.rotation import Strategy
from rotator.journal.results import CutoverResult, ReverseReplicationResult
from rotator.journal.results_retire import CloseWayBackResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import any_at, blue_instance, instance, server

GIB = 1 << 30
LEAST_FREE = 0.1
"""Share of blue's storage that the log kept for the rotation must leave free."""


def forward(ctx: Context) -> Channel:
    """From blue to green; before green exists only its sending side is of use."""
    blue = _place(ctx, ctx.rotation.blue)
    green = ctx.topology.find(ctx.rotation.green)
    known = green is not None and green.address is not None
    return _opener(ctx).channel(ctx.rotation.identity, blue, _place(ctx, ctx.rotation.green) if known else blue)


def backward(ctx: Context) -> Channel:
    """From green to blue: the reverse replication after the flip."""
    return _opener(ctx).channel(
        ctx.rotation.identity, _place(ctx, ctx.rotation.green), _place(ctx, ctx.rotation.blue), back=True
    )


def green_alone(ctx: Context) -> Channel:
    """Green's sending side of the reverse replication, where blue is gone already."""
    green = _place(ctx, ctx.rotation.green)
    return _opener(ctx).channel(ctx.rotation.identity, green, green, back=True)


def blue_alone(ctx: Context, *, back: bool = False) -> Channel:
    """What one direction has on blue, whatever has become of green."""
    blue = _place(ctx, ctx.rotation.blue)
    return _opener(ctx).channel(ctx.rotation.identity, blue, blue, back=back)


def _opener(ctx: Context) -> DatabaseOpener:
    if ctx.databases is None:
        raise Blocked("Replication needs a connection.", fix='Set [database] access = "direct".', code="no-access")
    return ctx.databases


def _place(ctx: Context, identifier: str) -> tuple[str, int]:
    found = instance(ctx, identifier)
    if found.address is None or found.port is None:
        raise Blocked(
            f"{identifier} has no endpoint yet (status {found.status}).",
            fix="Wait until RDS has made it available.",
            code="no-endpoint",
        )
    return found.address, found.port


OVERDUE = 4
"""A transaction that has been open for so many times the grace is not waited for: it would seldom end within it."""


def budgets(ctx: Context) -> Budgets:
    """The window's budgets as rotation.toml has them."""
    config = ctx.env.config.cutover
    return Budgets(
        calm=config.calm,
        grace=config.grace,
        overdue=OVERDUE * config.grace,
        fence=config.fence,
        drain=config.drain,
        recheck=config.recheck,
        counters=config.sequences,
        headroom=config.sequence_headroom,
    )


def check_retained(ctx: Context, channel: Channel) -> int:
    """The watchdog: bytes of log that the slots hold back. Raises Blocked when a slot is lost, or holds too much."""
    kept = channel.retention()
    lost = [each.name for each in kept if each.lost]
    if lost:
        raise Blocked(
            f"The slot {', '.join(lost)} is lost: its WAL has been removed.",
            why="max_slot_wal_keep_size was reached, so green can never catch up.",
            fix=f"rotator rollback {ctx.env.name}, then rotate again with a larger max_slot_wal_keep_size.",
            code="slot-lost",
        )
    retained = max((each.retained for each in kept), default=0)
    problem = _too_much(ctx, channel, retained)
    if problem:
        raise Blocked(
            f"The WAL retained for green has grown to {retained / GIB:.1f} GiB.",
            why=problem,
            fix=f"Give {ctx.rotation.blue} more storage and run rotate again, or give up: "
            f"rotator rollback {ctx.env.name} removes the slots, and with them the log.",
            code="log-retained",
        )
    return retained


def _too_much(ctx: Context, channel: Channel, retained: int) -> str:
    limit = ctx.env.config.rotation.max_retained_wal_gb
    if limit is not None and retained > limit * GIB:
        return f"[rotation] max_retained_wal_gb allows {limit:g}."
    storage, whole = channel.storage(), blue_instance(ctx).allocated_storage * GIB
    free = whole - storage.data - storage.log
    if whole and free < whole * LEAST_FREE and retained > free:
        return f"Of {whole / GIB:.0f} GiB only about {max(free, 0) / GIB:.1f} are free; a full disk would stop blue."
    return ""


def size(number: int) -> str:
    """Bytes for people."""
    for unit, bound in (("GiB", GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= bound:
            return f"{number / bound:.1f} {unit}"
    return f"{number} bytes"


def log_lines(ctx: Context, identifier: str) -> Iterator[str]:
    """An instance's database log from its beginning, all files one after the other."""
    for file in ctx.topology.log_files(identifier):
        yield from ctx.topology.log_lines(identifier, file.name)


def log_tail(ctx: Context, identifier: str) -> tuple[str, ...]:
    """The last lines of an instance's database log."""
    files = ctx.topology.log_files(identifier)
    return ctx.topology.log_tail(identifier, files[-1].name) if files else ()


def green_may_hold_writes(ctx: Context) -> bool:
    """Whether green has been opened and not been shut again: it may have acknowledged what blue does not have.

    A fence with a lease has not been sealed: what was written just before it may not have flowed yet.
    """
    cutover, found = ctx.memory.result(CutoverResult), ctx.topology.find(ctx.rotation.green)
    if not cutover.opened_at or cutover.returned or found is None or carried_back(ctx):
        return False
    green = server(ctx, ctx.rotation.green)
    return green is None or not green.fence_state().sealed or any_at(ctx, ctx.rotation.green)


def carried_back(ctx: Context) -> bool:
    """Whether the window of a flip back was passed: green is sealed, blue has all of it and takes writes (or is being
    opened), wherever the record points. Whoever still sees blue is acknowledged there: green must not open any more.

    A kill may have come before that could be noted; but blue opens in that window alone, once green has been sealed.
    """
    noted = ctx.memory.result(CutoverResult)
    known = noted.carried_back or noted.returning
    if ctx.rotation.strategy is not Strategy.REPLICATE or not (known or any_at(ctx, ctx.rotation.blue)):
        return False
    if not noted.opened_at or any(ctx.topology.find(n) is None for n in (ctx.rotation.blue, ctx.rotation.green)):
        return False
    blue, green = server(ctx, ctx.rotation.blue), server(ctx, ctx.rotation.green)
    if blue is None or green is None or not green.fence_state().sealed:
        return False
    return bool(noted.carried_back) or not blue.fence_state().on


def reverse_closed(ctx: Context) -> str:
    """Why the reverse replication is closed; empty when it is open: writes made on green arrive on blue."""
    if ctx.memory.result(CloseWayBackResult).closed:
        return "retire has closed it"
    if not ctx.memory.result(ReverseReplicationResult).opened:
        return "it has not been opened yet"
    try:
        channel = backward(ctx)
        kept = channel.retention()
        if not kept:
            return f"its slots on {ctx.rotation.green} are gone"
        if any(each.lost for each in kept):
            return f"a slot on {ctx.rotation.green} is lost: its WAL has been removed"
        missing = channel.not_carried()
        if missing:
            return (
                f"tables were made on {ctx.rotation.green} since the flip, which do not flow: {', '.join(missing[:5])}"
            )
        foreign = channel.foreign_channels()
        if foreign:
            return f"{', '.join(foreign)} writes to {ctx.rotation.green}, and what it writes does not flow to blue"
        workers = channel.workers()
        if not all(worker.there for worker in workers):
            return f"a subscription on {ctx.rotation.blue} is missing"
        tried = any(worker.enabled and not worker.running for worker in workers)
        errors = channel.apply_errors(log_tail(ctx, ctx.rotation.blue)) if tried else ()
        if errors:
            return f"a change could not be applied on {ctx.rotation.blue}: {'; '.join(errors)}"
    except RotatorError as fault:
        return f"its replication status cannot be read: {fault.what}"
    return ""
