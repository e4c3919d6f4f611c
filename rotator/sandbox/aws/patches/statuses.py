"""Instances take time, read from the context's clock: creating, backing-up, modifying, deleting."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher
from rotator.sandbox.aws.patches.keys import find_key
from rotator.sandbox.aws.timeline import Timeline, settled

LOCKED_OUT = "inaccessible-encryption-credentials-recoverable"
NO_MODIFICATION = {"db_instance_identifier", "apply_immediately", "backend"}
GONE = "deleted"


def _instance_statuses(patcher: Patcher, context: Context) -> None:
    clock, takes = context.clock, context.durations

    def status(self: Any) -> str:
        return str(self._timeline.status(clock()))

    def set_status(self: Any, value: str) -> None:
        self._timeline = settled(value)

    def make_endpoint(original: Any) -> Any:
        # RDS names no endpoint before the instance has been available once (DescribeDBInstances).
        return property(lambda self: None if self.status == "creating" else original.fget(self))

    def make_create(original: Any) -> Any:
        def create_db_instance(self: RDSBackend, db_kwargs: Any) -> Any:
            restored = "db_snapshot_identifier" in db_kwargs
            database = original(self, db_kwargs)
            whole = takes.restore if restored else takes.create
            backup = whole / 5 if database.backup_retention_period else 0.0
            passing = (("creating", whole - backup), ("backing-up", backup))
            database._timeline = Timeline(clock(), passing, "available")
            return database

        return create_db_instance

    def make_modify(original: Any) -> Any:
        def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> Any:
            changes = set(db_kwargs) - NO_MODIFICATION
            database = original(self, db_instance_identifier, db_kwargs)
            if changes:
                name = "resetting-master-credentials" if changes == {"master_user_password"} else "modifying"
                name = "renaming" if "new_db_instance_identifier" in changes else name
                database._timeline = Timeline(clock(), ((name, takes.modify),), "available")
            return database

        return modify_db_instance

    patcher.put(DBInstance, "status", property(status, set_status))
    patcher.wrap(DBInstance, "endpoint", make_endpoint)
    patcher.wrap(RDSBackend, "create_db_instance", make_create)
    patcher.wrap(RDSBackend, "modify_db_instance", make_modify)
    for method, passing, final in (
        ("stop_db_instance", "stopping", "stopped"),
        ("start_db_instance", "starting", "available"),
        ("reboot_db_instance", "rebooting", "available"),
    ):
        patcher.wrap(RDSBackend, method, _passing(context, passing, final))


def _passing(context: Context, passing: str, final: str) -> Any:
    def make(original: Any) -> Any:
        def call(self: RDSBackend, *args: Any, **kwargs: Any) -> Any:
            database = original(self, *args, **kwargs)
            database._timeline = Timeline(context.clock(), ((passing, context.durations.modify),), final)
            return database

        return call

    return make


def _slow_deletion(patcher: Patcher, context: Context) -> None:
    clock, takes = context.clock, context.durations

    def make_delete(original: Any) -> Any:
        def delete_db_instance(self: RDSBackend, db_instance_identifier: str, **kwargs: Any) -> Any:
            database = original(self, db_instance_identifier=db_instance_identifier, **kwargs)
            database._timeline = Timeline(clock(), (("deleting", takes.delete),), GONE)
            self.databases[db_instance_identifier] = database
            return database

        return delete_db_instance

    def make_backend(original: Any) -> Any:
        def backend(self: Any) -> RDSBackend:
            found: RDSBackend = original.fget(self)
            for identifier in [name for name, each in found.databases.items() if each.status == GONE]:
                found.databases.pop(identifier, None)
            return found

        return property(backend)

    patcher.wrap(RDSBackend, "delete_db_instance", make_delete)
    patcher.wrap(RDSResponse, "backend", make_backend)


def _locked_out(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def status(self: Any) -> str:
            now: str = original.fget(self)
            if now != "available" or self.db_cluster_identifier is not None or not self.kms_key_id:
                return now
            key = find_key(self.backend.kms, self.kms_key_id)
            return now if key is not None and key.key_state == "Enabled" else LOCKED_OUT

        return property(status, original.fset)

    patcher.wrap(DBInstance, "status", make)


PATCHES = (
    Patch("instance-statuses", "moto's instances are available at once", _instance_statuses),
    Patch("slow-deletion", "moto's instances are gone at once", _slow_deletion, needs=("instance-statuses",)),
    Patch(
        "locked-out",
        "moto's instances stay available when their key is disabled or pending deletion",
        _locked_out,
        needs=("instance-statuses",),
    ),
)
