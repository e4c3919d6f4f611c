"""What the stages of a rotation will change, from the root's data alone: for `plan`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rotator.domain import root_edits as edits
from rotator.domain.root import RootData, Stage
from rotator.rotation.registry import ROWS, Row
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.green import green_database
from rotator.rotation.steps.prepare.key import new_key


@dataclass(frozen=True)
class Forecast:
    """What one step's stage will make of the root's data."""

    step: str
    stage: Stage
    before: RootData
    after: RootData


@dataclass(frozen=True)
class _Known:
    """What the edits need beside the data: the context, and each record's own TTL (seconds) as it is now."""

    ctx: Context
    own_ttls: Mapping[str, int]


Edit = Callable[[_Known, RootData], RootData | None]
"""The data after a stage; None where there will be no such stage."""


def forecast(ctx: Context, start: RootData, *, adopted: bool, rows: Sequence[Row] = ROWS) -> tuple[Forecast, ...]:
    """The stages of the whole rotation and its retirement, in their order, from `start` (imports included)."""
    found: list[Forecast] = []
    now = edits.without_imports(start) if not adopted else start
    known = _Known(ctx, {record.key: record.ttl for record in now.names})
    for row in rows:
        if row.stage is None or not row.of(ctx.rotation.strategy):
            continue
        if row.stage is Stage.ADOPT:
            found += [] if adopted else [Forecast(row.step.name, row.stage, start, start)]
            continue
        after = EDITS[row.stage](known, now)
        if after is not None:
            found.append(Forecast(row.step.name, row.stage, now, after))
            now = after
    return tuple(found)


def _key(known: _Known, now: RootData) -> RootData:
    return edits.with_generation(now, known.ctx.rotation.target, key=new_key(known.ctx))


def _green(known: _Known, now: RootData) -> RootData:
    return edits.with_generation(now, known.ctx.rotation.target, database=green_database(known.ctx))


def _cutover(known: _Known, now: RootData) -> RootData:
    return replace(edits.serving(now, known.ctx.rotation.target), gate="gate")


def _unprotect(known: _Known, now: RootData) -> RootData:
    delete = not known.ctx.env.config.retire.keep_automated_backups
    return edits.unprotected(now, known.ctx.rotation.source, delete_automated_backups=delete)


def _retire_database(known: _Known, now: RootData) -> RootData:
    source = known.ctx.rotation.source
    gone = edits.with_generation(now, source, database=None)
    return gone if gone.generations[source].key is not None else edits.without_generation(now, source)


def _disable_key(known: _Known, now: RootData) -> RootData | None:
    """A generation whose key is not the root's has gone with its database."""
    source = known.ctx.rotation.source
    return edits.edit_key(now, source, is_enabled=False) if source in now.generations else None


def _retire_key(known: _Known, now: RootData) -> RootData | None:
    source = known.ctx.rotation.source
    return edits.without_generation(now, source) if source in now.generations else None


EDITS: Mapping[Stage, Edit] = {
    Stage.LOWER_TTL: lambda known, now: edits.with_ttl(now, known.ctx.env.config.dns.rotation_ttl),
    Stage.KEY: _key,
    Stage.GREEN: _green,
    Stage.CUTOVER: _cutover,
    Stage.UNGATE: lambda known, now: replace(now, gate=None),
    Stage.UNPROTECT: _unprotect,
    Stage.RESTORE_TTL: lambda known, now: edits.with_own_ttls(now, known.own_ttls),
    Stage.RETIRE_DATABASE: _retire_database,
    Stage.DISABLE_KEY: _disable_key,
    Stage.RETIRE_KEY: _retire_key,
}
"""What each stage makes of the data; `adopt` is the start, and has none."""
