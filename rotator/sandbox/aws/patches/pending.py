"""Modifications that are not applied immediately wait in PendingModifiedValues (RDS User Guide, "Modifying")."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBInstance, RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

WAITING = {
    "db_instance_class": "DBInstanceClass",
    "allocated_storage": "AllocatedStorage",
    "db_port_number": "Port",
    "multi_az": "MultiAZ",
    "engine_version": "EngineVersion",
    "license_model": "LicenseModel",
    "iops": "Iops",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
    "new_db_instance_identifier": "DBInstanceIdentifier",
    "ca_certificate_identifier": "CACertificateIdentifier",
    "dedicated_log_volume": "DedicatedLogVolume",
}
"""Request key -> name in PendingModifiedValues. All other settings are applied at once, whatever the request says."""


def _pending_values(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> Any:
            database: Any = self.describe_db_instances(db_instance_identifier)[0]
            waiting: dict[str, Any] = dict(getattr(database, "_waiting", {}))
            if db_kwargs.get("apply_immediately"):
                for name, value in waiting.items():
                    db_kwargs.setdefault(name, value)
                waiting = {}
            else:
                for name in WAITING.keys() & set(db_kwargs):
                    value = db_kwargs.pop(name)
                    if value != _present(database, name):
                        waiting[name] = value
            database = original(self, db_instance_identifier, db_kwargs)
            database._waiting = waiting
            database.pending_modified_values = {WAITING[name]: value for name, value in waiting.items()}
            return database

        return modify_db_instance

    patcher.wrap(RDSBackend, "modify_db_instance", make)
    patcher.put(DBInstance, "pending_modified_values", {})


def _present(database: Any, name: str) -> Any:
    if name == "db_port_number":
        return database.port
    if name == "new_db_instance_identifier":
        return database.db_instance_identifier
    return getattr(database, name, None)


PATCHES = (
    Patch(
        "pending-values",
        "moto applies every modification at once; RDS keeps some for the maintenance window unless ApplyImmediately",
        _pending_values,
    ),
)
