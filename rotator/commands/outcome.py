"""The closing summary of a run, gathered from the journal, the clocks and the canary's report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rotator.commands.canary import Heard
from rotator.commands.services import Services
from rotator.commands.signed import last_run
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.journal.document import Phase, RotationRecord
from rotator.journal.memory import JournalMemory
from rotator.journal.results import (
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
from rotator.journal.step_record import Status
from rotator.report.summary import Summary

_AROUND = timedelta(seconds=0.5)
"""The last acknowledged write may be a little older than the fence."""


def summarise(
    services: Services, memory: JournalMemory, verb: str, began: float, next_command: str, heard: Heard
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
