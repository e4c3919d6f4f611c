"""Snapshots and copies that take time, with a percentage; a copy fails when its source goes away under it."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBSnapshot, RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher
from rotator.sandbox.aws.timeline import Timeline, settled


def _snapshot_statuses(patcher: Patcher, context: Context) -> None:
    def status(self: Any) -> str:
        return str(self._timeline.status(context.clock()))

    def set_status(self: Any, value: str) -> None:
        self._timeline = settled(value)

    def percent(self: Any) -> int:
        return int(self._timeline.percent(context.clock()))

    patcher.put(DBSnapshot, "status", property(status, set_status))
    patcher.put(DBSnapshot, "percent_progress", property(percent, lambda self, value: None))
    patcher.wrap(RDSBackend, "create_db_snapshot", _create(context))
    patcher.wrap(RDSBackend, "copy_db_snapshot", _copy(context))
    patcher.wrap(RDSBackend, "delete_db_snapshot", _delete)


def _create(context: Context) -> Any:
    def make(original: Any) -> Any:
        def create_db_snapshot(self: RDSBackend, *args: Any, **kwargs: Any) -> Any:
            snapshot = original(self, *args, **kwargs)
            now, seconds = context.clock(), context.durations.snapshot
            snapshot._timeline = Timeline(now, (("creating", seconds),), "available")
            database: Any = self.databases[snapshot.db_instance_identifier]
            if snapshot.snapshot_type == "manual" and isinstance(getattr(database, "_timeline", None), Timeline):
                database._timeline = Timeline(now, (("backing-up", seconds),), "available")
            return snapshot

        return create_db_snapshot

    return make


def _copy(context: Context) -> Any:
    def make(original: Any) -> Any:
        def copy_db_snapshot(self: RDSBackend, source_db_snapshot_identifier: str, **kwargs: Any) -> Any:
            snapshot = original(self, source_db_snapshot_identifier=source_db_snapshot_identifier, **kwargs)
            snapshot._timeline = Timeline(context.clock(), (("copying", context.durations.copy),), "available")
            snapshot._copied_from = self.get_db_snapshot(source_db_snapshot_identifier).db_snapshot_arn
            return snapshot

        return copy_db_snapshot

    return make


def _delete(original: Any) -> Any:
    def delete_db_snapshot(self: RDSBackend, db_snapshot_identifier: str) -> Any:
        gone: Any = original(self, db_snapshot_identifier)
        for other in self.database_snapshots.values():
            if getattr(other, "_copied_from", None) == gone.db_snapshot_arn and other.status == "copying":
                other.status = "failed"
        return gone

    return delete_db_snapshot


PATCHES = (Patch("snapshot-statuses", "moto's snapshots and copies are available at once", _snapshot_statuses),)
