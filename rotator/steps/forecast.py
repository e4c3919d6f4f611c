"""What the stages of a rotation will change, from the root's data alone: for `plan`. Pure."""

from __future__ import annotations

from dataclasses import replace

from rotator.model import RootData, Stage
from rotator.steps import edits
from rotator.steps.base import Context
from rotator.steps.green import green_database
from rotator.steps.key import new_key

Forecast = tuple[Stage, RootData, RootData]


def forecast(ctx: Context, start: RootData, *, adopted: bool) -> tuple[Forecast, ...]:
    """(stage, data before, data after) of the whole rotation and its retirement, from `start` (imports included)."""
    source, target = ctx.rotation.source, ctx.rotation.target
    found: list[Forecast] = []
    now = start

    def then(stage: Stage, after: RootData) -> None:
        nonlocal now
        found.append((stage, now, after))
        now = after

    if not adopted:
        then(Stage.ADOPT, start)
        now = edits.without_imports(now)
    own = {record.key: record.ttl for record in now.names}
    then(Stage.LOWER_TTL, edits.with_ttl(now, ctx.env.config.dns.rotation_ttl))
    then(Stage.KEY, edits.with_generation(now, target, key=new_key(ctx)))
    then(Stage.GREEN, edits.with_generation(now, target, database=green_database(ctx)))
    then(Stage.CUTOVER, replace(edits.serving(now, target), gate="gate"))
    then(Stage.UNGATE, replace(now, gate=None))
    delete = not ctx.env.config.retire.keep_automated_backups
    then(Stage.UNPROTECT, edits.unprotected(now, source, delete_automated_backups=delete))
    then(Stage.RESTORE_TTL, edits.with_own_ttls(now, own))
    gone = edits.with_generation(now, source, database=None)
    if gone.generations[source].key is None:
        then(Stage.RETIRE_DATABASE, edits.without_generation(now, source))
        return tuple(found)
    then(Stage.RETIRE_DATABASE, gone)
    then(Stage.DISABLE_KEY, edits.edit_key(now, source, is_enabled=False))
    then(Stage.RETIRE_KEY, edits.without_generation(now, source))
    return tuple(found)
