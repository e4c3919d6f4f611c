"""Requests that AWS refuses because the instance or the snapshot is not in the right state for them."""

from __future__ import annotations

from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher


def _right_states_only(patcher: Patcher, _: Context) -> None:
    def instance_call(original: Any) -> Any:
        def call(self: RDSBackend, db_instance_identifier: str, *args: Any, **kwargs: Any) -> Any:
            database = self.databases.get(db_instance_identifier)
            automated = kwargs.get("snapshot_type") == "automated"
            if database is not None and database.status != "available" and not automated:
                raise _wrong_state(f"Instance {db_instance_identifier} is not in available state.")
            return original(self, db_instance_identifier, *args, **kwargs)

        return call

    for name in ("create_db_snapshot", "modify_db_instance", "reboot_db_instance", "stop_db_instance"):
        patcher.wrap(RDSBackend, name, instance_call)
    patcher.wrap(RDSBackend, "delete_db_instance", _delete_instance)
    patcher.wrap(RDSBackend, "copy_db_snapshot", _copy)
    patcher.wrap(RDSBackend, "restore_db_instance_from_db_snapshot", _restore)
    patcher.wrap(RDSBackend, "delete_db_snapshot", _delete_snapshot)


def _delete_instance(original: Any) -> Any:
    def delete_db_instance(self: RDSBackend, db_instance_identifier: str, **kwargs: Any) -> Any:
        database = self.databases.get(db_instance_identifier)
        status = "available" if database is None else database.status
        final = kwargs.get("final_db_snapshot_identifier") and not kwargs.get("skip_final_snapshot")
        if status == "deleting":
            raise _wrong_state(f"Instance {db_instance_identifier} is already being deleted.")
        if status == "stopped" or (final and status != "available"):
            raise _wrong_state(f"Instance {db_instance_identifier} is currently {status}: it cannot be deleted so.")
        return original(self, db_instance_identifier=db_instance_identifier, **kwargs)

    return delete_db_instance


def _copy(original: Any) -> Any:
    def copy_db_snapshot(self: RDSBackend, source_db_snapshot_identifier: str, **kwargs: Any) -> Any:
        _require_snapshot(self, source_db_snapshot_identifier)
        return original(self, source_db_snapshot_identifier=source_db_snapshot_identifier, **kwargs)

    return copy_db_snapshot


def _restore(original: Any) -> Any:
    def restore(self: RDSBackend, from_snapshot_id: str, overrides: Any) -> Any:
        _require_snapshot(self, from_snapshot_id)
        return original(self, from_snapshot_id, overrides)

    return restore


def _delete_snapshot(original: Any) -> Any:
    def delete_db_snapshot(self: RDSBackend, db_snapshot_identifier: str) -> Any:
        snapshot = self.database_snapshots.get(db_snapshot_identifier)
        if snapshot is not None and snapshot.status == "creating" and snapshot.snapshot_type == "manual":
            raise RDSClientError("InvalidDBSnapshotState", f"The snapshot {db_snapshot_identifier} is being created.")
        return original(self, db_snapshot_identifier)

    return delete_db_snapshot


def _require_snapshot(backend: RDSBackend, identifier: str) -> None:
    snapshot = backend.get_db_snapshot(identifier)
    if snapshot.status != "available":
        raise RDSClientError(
            "InvalidDBSnapshotState",
            f"The snapshot {snapshot.db_snapshot_identifier} is not available: its status is {snapshot.status}.",
        )


def _wrong_state(message: str) -> RDSClientError:
    return RDSClientError("InvalidDBInstanceState", message)


PATCHES = (
    Patch(
        "right-states-only",
        "moto takes snapshots of stopped or creating instances, and copies and restores unfinished snapshots",
        _right_states_only,
    ),
)
