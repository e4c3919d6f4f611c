"""Elements of RDS's answers as this project's nouns. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from rotator.aws.settings import terraform_settings
from rotator.aws.tags import own_tags
from rotator.domain.aws import AutomatedBackup, Deployment, Snapshot
from rotator.domain.json_object import JsonObject

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import (
        DBClusterSnapshotTypeDef,
        DBInstanceAutomatedBackupTypeDef,
        DBInstanceTypeDef,
        DBSnapshotTypeDef,
        TagTypeDef,
    )


def instance_of(element: DBInstanceTypeDef) -> Deployment:
    """A DBInstance of DescribeDBInstances. Tags of AWS itself ('aws:...') are in `raw` alone."""
    raw = cast(JsonObject, element)
    endpoint = raw.get("Endpoint") or {}
    pending = raw.get("PendingModifiedValues") or {}
    return Deployment(
        identifier=raw["DBInstanceIdentifier"],
        resource_id=raw.get("DbiResourceId", ""),
        arn=raw.get("DBInstanceArn", ""),
        status=raw.get("DBInstanceStatus", ""),
        engine=raw.get("Engine", ""),
        engine_version=raw.get("EngineVersion", ""),
        address=endpoint.get("Address"),
        port=endpoint.get("Port"),
        kms_key_arn=raw.get("KmsKeyId"),
        encrypted=bool(raw.get("StorageEncrypted")),
        master_username=raw.get("MasterUsername", ""),
        database_name=raw.get("DBName"),
        allocated_storage=int(raw.get("AllocatedStorage") or 0),
        deletion_protection=bool(raw.get("DeletionProtection")),
        pending={name: value for name, value in pending.items() if value not in (None, "", [], {})},
        settings=terraform_settings(raw),
        tags=tags_of(raw),
        raw=raw,
    )


def snapshot_of(element: DBSnapshotTypeDef) -> Snapshot:
    """A DBSnapshot of DescribeDBSnapshots."""
    return _snapshot(cast(JsonObject, element), "DBSnapshot", "DBInstanceIdentifier", kind_prefix="")


def cluster_snapshot_of(element: DBClusterSnapshotTypeDef) -> Snapshot:
    """A DBClusterSnapshot, with the cluster's identifier in the place of the instance's."""
    return _snapshot(cast(JsonObject, element), "DBClusterSnapshot", "DBClusterIdentifier", kind_prefix="cluster-")


def _snapshot(raw: JsonObject, noun: str, owner: str, kind_prefix: str) -> Snapshot:
    return Snapshot(
        identifier=raw[f"{noun}Identifier"],
        arn=raw.get(f"{noun}Arn", ""),
        instance_identifier=raw.get(owner, ""),
        instance_resource_id=raw.get("DbiResourceId") or raw.get("DbClusterResourceId"),
        status=raw.get("Status", ""),
        percent=int(raw.get("PercentProgress") or 0),
        kind=f"{kind_prefix}{raw.get('SnapshotType', '')}",
        kms_key_arn=raw.get("KmsKeyId"),
        encrypted=bool(raw.get("Encrypted", raw.get("StorageEncrypted"))),
        source_arn=raw.get(f"Source{noun}Identifier") or raw.get(f"Source{noun}Arn"),
        created=raw.get("SnapshotCreateTime"),
        tags=tags_of(raw),
    )


def backup_of(element: DBInstanceAutomatedBackupTypeDef) -> AutomatedBackup:
    """A DBInstanceAutomatedBackup."""
    return AutomatedBackup(
        instance_identifier=element.get("DBInstanceIdentifier", ""),
        resource_id=element.get("DbiResourceId", ""),
        status=element.get("Status", ""),
        kms_key_arn=element.get("KmsKeyId"),
    )


def tags_of(raw: Mapping[str, Any]) -> dict[str, str]:
    """A TagList, without the tags of AWS itself."""
    return own_tags((tag["Key"], tag.get("Value", "")) for tag in raw.get("TagList") or [])


def tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    """Tags as RDS's API takes them."""
    return [{"Key": name, "Value": value} for name, value in tags.items()]
