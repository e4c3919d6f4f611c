"""A restore takes AWS's defaults for what the request does not say, not the settings of the snapshot's instance.

Source: API reference, RestoreDBInstanceFromDBSnapshot; what it calls "same as the source" comes from the snapshot.
"""

from __future__ import annotations

from typing import Any

from moto.rds.exceptions import DBInstanceAlreadyExists, InvalidParameterValue
from moto.rds.models import RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

SAME_AS_SOURCE = (
    "engine",
    "engine_version",
    "license_model",
    "character_set_name",
    "master_username",
    "db_name",
    "port",
    "db_instance_class",
    "backup_retention_period",
)


def _restore_defaults(patcher: Patcher, _: Context) -> None:
    def restore_db_instance_from_db_snapshot(self: RDSBackend, from_snapshot_id: str, overrides: Any) -> Any:
        snapshot: Any = self.get_db_snapshot(from_snapshot_id)
        if overrides["db_instance_identifier"] in self.databases:
            raise DBInstanceAlreadyExists()
        properties = _from_snapshot(snapshot)
        properties.update({name: value for name, value in dict(overrides).items() if value is not None})
        properties["db_snapshot_identifier"] = snapshot.db_snapshot_identifier
        if properties["allocated_storage"] < snapshot.allocated_storage:
            raise InvalidParameterValue(
                "The allocated storage size can't be less than the source snapshot or backup size."
            )
        if not properties.get("storage_type"):
            properties["storage_type"] = "io1" if properties.get("iops") else "gp3"
        if not properties.get("tags"):
            properties["tags"] = list(snapshot.tags)
        return self.create_db_instance(properties)

    patcher.put(RDSBackend, "restore_db_instance_from_db_snapshot", restore_db_instance_from_db_snapshot)


def _from_snapshot(snapshot: Any) -> dict[str, Any]:
    source = snapshot.database
    same = {name: getattr(source, name) for name in SAME_AS_SOURCE}
    return {
        **same,
        "master_user_password": getattr(source, "_master_user_password", None),
        "allocated_storage": snapshot.allocated_storage,
        "kms_key_id": snapshot.kms_key_id,
        "storage_encrypted": snapshot.encrypted,
    }


PATCHES = (
    Patch(
        "restore-defaults",
        "moto restores with the source's live settings, and ignores overrides that are False",
        _restore_defaults,
    ),
)
