"""Settings of an instance that neither a restore nor the provider gives to green, and how they come to it. Pure.

Sources: the members of DBInstance, RestoreDBInstanceFromDBSnapshot and ModifyDBInstance in the SDK's model, and what
the provider sends. Those that ModifyDBInstance can set are set by the tool, before blue and green are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rotator.aws.parity import IGNORED, ZONES
from rotator.domain.aws import Deployment
from rotator.domain.json_object import JsonObject


def _same(*names: str) -> Callable[[JsonObject], dict[str, Any]]:
    """Arguments that are called as the fields are; what blue does not have is left out."""
    return lambda blue: {name: blue[name] for name in names if blue.get(name) is not None}


def _insights(blue: JsonObject) -> dict[str, Any]:
    """Mode advanced is refused without Performance Insights and its retention in the same request."""
    with_it = {"EnablePerformanceInsights": True} if blue.get("PerformanceInsightsEnabled") else {}
    return {**with_it, **_same("DatabaseInsightsMode", "PerformanceInsightsRetentionPeriod")(blue)}


SET_AFTERWARDS: Mapping[str, Callable[[JsonObject], dict[str, Any]]] = {
    "BackupRetentionPeriod": _same("BackupRetentionPeriod"),
    "CACertificateIdentifier": _same("CACertificateIdentifier"),
    "CertificateDetails": _same("CACertificateIdentifier"),
    "CopyTagsToSnapshot": _same("CopyTagsToSnapshot"),
    "DatabaseInsightsMode": _insights,
    "MaxAllocatedStorage": _same("MaxAllocatedStorage"),
    "PerformanceInsightsRetentionPeriod": _insights,
    "PreferredBackupWindow": _same("PreferredBackupWindow"),
    "PreferredMaintenanceWindow": _same("PreferredMaintenanceWindow"),
}
"""Field in which green differs -> arguments of ModifyDBInstance, from blue. None of them restarts the database."""

LOST = frozenset({"AdditionalStorageVolumes", "DBCapacityReservationIdentifier", "MultiTenant", "TdeCredentialArn"})
"""Neither Terraform's aws_db_instance nor the tool gives them to green."""

TOLD_ELSEWHERE = frozenset(
    {
        "ActivityStreamEngineNativeAuditFieldsIncluded",
        "ActivityStreamKmsKeyId",
        "ActivityStreamMode",
        "ActivityStreamPolicyStatus",
        "ActivityStreamStatus",
        "AssociatedRoles",
        "DBClusterIdentifier",
        "DBInstanceAutomatedBackupsReplications",
        "PendingModifiedValues",
        "ProcessorFeatures",
        "ReadReplicaDBClusterIdentifiers",
        "ReadReplicaDBInstanceIdentifiers",
        "ReadReplicaSourceDBClusterIdentifier",
        "ReadReplicaSourceDBInstanceIdentifier",
    }
)
"""Preflight has findings of their own for them."""

KEPT_BY_THE_RESTORE = frozenset({"DBSystemId", "DbInstancePort", "DBSecurityGroups", "ListenerEndpoint"})

CARRIED = frozenset(
    {
        *(
            "AllocatedStorage",
            "AutoMinorVersionUpgrade",
            "BackupTarget",
            "CharacterSetName",
            "CustomIamInstanceProfile",
        ),
        *("CustomerOwnedIpEnabled", "DBInstanceClass", "DBName", "DBParameterGroups", "DBSubnetGroup"),
        *("DedicatedLogVolume", "DeletionProtection", "DomainMemberships", "EnabledCloudwatchLogsExports", "Endpoint"),
        *("Engine", "EngineLifecycleSupport", "EngineVersion", "EnhancedMonitoringResourceArn"),
        *("IAMDatabaseAuthenticationEnabled", "Iops", "LicenseModel", "MasterUserSecret", "MasterUsername"),
        *("MonitoringInterval", "MonitoringRoleArn", "MultiAZ", "NcharCharacterSetName", "NetworkType"),
        *("OptionGroupMemberships", "PerformanceInsightsEnabled", "PerformanceInsightsKMSKeyId", "PubliclyAccessible"),
        *("StorageThroughput", "StorageType", "Timezone", "VpcSecurityGroups"),
    }
)
"""Fields that aws_db_instance is given (settings.py)."""

OF_OTHERS = frozenset({"AutomationMode", "PromotionTier", "ReplicaMode"})
"""Of RDS Custom, of clusters, of replicas: such instances are refused, or the field says nothing of others."""

KNOWN = IGNORED | ZONES | SET_AFTERWARDS.keys() | LOST | TOLD_ELSEWHERE | KEPT_BY_THE_RESTORE | CARRIED | OF_OTHERS


def mends(blue: Deployment, differing: Iterable[str]) -> dict[str, Any]:
    """Arguments of the one ModifyDBInstance that gives green what it lacks of `differing` (fields); empty: nothing."""
    wanted: dict[str, Any] = {}
    for field in sorted(differing):
        if field in SET_AFTERWARDS:
            wanted |= SET_AFTERWARDS[field](blue.raw)
    return wanted


def lost(blue: Deployment, accepted: Iterable[str]) -> tuple[str, ...]:
    """Fields that blue has and green would lack, but those that may differ (`accepted`)."""
    return tuple(sorted(field for field in LOST - set(accepted) if blue.raw.get(field)))


def not_in_force(element: JsonObject) -> tuple[str, ...]:
    """Groups that are attached and not in force yet, or no longer, in words: green starts with them in force."""
    checks = (
        ("DBParameterGroups", "DBParameterGroupName", "ParameterApplyStatus", "in-sync"),
        ("OptionGroupMemberships", "OptionGroupName", "Status", "in-sync"),
        ("VpcSecurityGroups", "VpcSecurityGroupId", "Status", "active"),
    )
    return tuple(
        f"{item[name]} ({item[status]})"
        for field, name, status, settled in checks
        for item in element.get(field) or []
        if item.get(status, settled) != settled
    )
