"""Automated backups: named apart, kept when asked, described with their key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

DESCRIBED = {
    "DBInstanceArn": "db_instance_arn",
    "DbiResourceId": "dbi_resource_id",
    "DBInstanceIdentifier": "db_instance_identifier",
    "AllocatedStorage": "allocated_storage",
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "MasterUsername": "master_username",
    "Encrypted": "storage_encrypted",
    "KmsKeyId": "kms_key_id",
    "BackupRetentionPeriod": "backup_retention_period",
    "InstanceCreateTime": "instance_create_time",
}


def _automated_snapshots(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def create_db_instance(self: RDSBackend, db_kwargs: Any) -> Any:
            database = original(self, db_kwargs)
            if database.db_cluster_identifier is None and database.backup_retention_period:
                name = _free_name(self, database.db_instance_identifier)
                self.create_db_snapshot(database.db_instance_identifier, name, snapshot_type="automated")
            return database

        return create_db_instance

    patcher.put(DBInstance, "save_automated_backup", lambda self: None)
    patcher.wrap(RDSBackend, "create_db_instance", make)


def _free_name(backend: RDSBackend, identifier: str) -> str:
    """rds:IDENTIFIER-YYYY-MM-DD-HH-MM, a minute later for as long as the name is taken."""
    when = utcnow()
    while f"rds:{identifier}-{when:%Y-%m-%d-%H-%M}" in backend.database_snapshots:
        when += timedelta(minutes=1)
    return f"rds:{identifier}-{when:%Y-%m-%d-%H-%M}"


def _automated_backups(patcher: Patcher, _: Context) -> None:
    def make_delete(original: Any) -> Any:
        def delete_db_instance(
            self: Any, db_instance_identifier: str, delete_automated_backups: bool | None = True, **kwargs: Any
        ) -> Any:
            database = original(
                self,
                db_instance_identifier=db_instance_identifier,
                delete_automated_backups=delete_automated_backups,
                **kwargs,
            )
            if delete_automated_backups is False and database.backup_retention_period:
                _retained(self)[database.dbi_resource_id] = _described(database, "retained")
            return database

        return delete_db_instance

    def describe(self: Any) -> ActionResult:
        backend = self.backend
        active = [
            _described(each, "active")
            for each in backend.databases.values()
            if each.db_cluster_identifier is None and each.backup_retention_period and each.status != "deleting"
        ]
        asked = self.params.get("DBInstanceIdentifier"), self.params.get("DbiResourceId")
        every = [*active, *_retained(backend).values()]
        found = [each for each in every if _matches(each, *asked)]
        return ActionResult({"DBInstanceAutomatedBackups": found})

    def delete(self: Any) -> ActionResult:
        backend, resource_id = self.backend, self.params.get("DbiResourceId")
        gone = _retained(backend).pop(resource_id, None)
        if gone is None:
            raise RDSClientError("DBInstanceAutomatedBackupNotFound", f"No automated backup of {resource_id} is kept.")
        for name, snapshot in list(backend.database_snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.dbi_resource_id == resource_id:
                backend.delete_db_snapshot(name)
        return ActionResult({"DBInstanceAutomatedBackup": gone})

    patcher.wrap(RDSBackend, "delete_db_instance", make_delete)
    patcher.put(RDSResponse, "describe_db_instance_automated_backups", describe)
    patcher.put(RDSResponse, "delete_db_instance_automated_backup", delete)


def _retained(backend: Any) -> dict[str, dict[str, Any]]:
    """Kept backups by resource id; they live on the backend, where all of moto's state is."""
    kept: dict[str, dict[str, Any]] = vars(backend).setdefault("_retained_backups", {})
    return kept


def _described(database: Any, status: str) -> dict[str, Any]:
    return {"Status": status, **{name: getattr(database, attribute) for name, attribute in DESCRIBED.items()}}


def _matches(backup: dict[str, Any], identifier: str | None, resource_id: str | None) -> bool:
    return identifier in (None, backup["DBInstanceIdentifier"]) and resource_id in (None, backup["DbiResourceId"])


PATCHES = (
    Patch(
        "automated-snapshots",
        "moto's automated snapshots collide when an identifier is used again, and exist without retention",
        _automated_snapshots,
    ),
    Patch(
        "automated-backups",
        "moto's automated backups have no resource id and no key, and are not kept when the deletion says so",
        _automated_backups,
    ),
)
