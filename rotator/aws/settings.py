"""A DescribeDBInstances element as arguments of Terraform's aws_db_instance. Pure.

The aim: right after an import the plan with these settings is clean, and an instance restored with them equals the
original. What a restore cannot be given, or AWS itself may change, is left to the provider by leaving it out.
Sources: RDS API reference (DBInstance, RestoreDBInstanceFromDBSnapshot), RDS User Guide ("gp3 storage"), provider
documentation of aws_db_instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rotator.domain.json_object import JsonObject

KEY_SETTINGS = ("performance_insights_kms_key_id", "master_user_secret_kms_key_id")
"""Settings that name a KMS key of their own, next to the storage's key."""

_SECRET_SETTINGS = ("manage_master_user_password", "master_user_secret_kms_key_id")

_GIVEN: Mapping[str, str] = {
    "instance_class": "DBInstanceClass",
    "engine": "Engine",
    "engine_version": "EngineVersion",
    "engine_lifecycle_support": "EngineLifecycleSupport",
    "license_model": "LicenseModel",
    "allocated_storage": "AllocatedStorage",
    "storage_type": "StorageType",
    "network_type": "NetworkType",
    "backup_window": "PreferredBackupWindow",
    "character_set_name": "CharacterSetName",
    "nchar_character_set_name": "NcharCharacterSetName",
    "timezone": "Timezone",
    "custom_iam_instance_profile": "CustomIamInstanceProfile",
    "database_insights_mode": "DatabaseInsightsMode",
    "username": "MasterUsername",
}
"""Argument <- field, left out when AWS gives none."""

_FLAGS: Mapping[str, str] = {
    "multi_az": "MultiAZ",
    "publicly_accessible": "PubliclyAccessible",
    "dedicated_log_volume": "DedicatedLogVolume",
    "iam_database_authentication_enabled": "IAMDatabaseAuthenticationEnabled",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "copy_tags_to_snapshot": "CopyTagsToSnapshot",
    "performance_insights_enabled": "PerformanceInsightsEnabled",
}
"""Argument <- field, false when AWS gives none."""


def terraform_settings(element: JsonObject) -> dict[str, Any]:
    """Arguments for modules/db_instance, JSON values only, from one element of DescribeDBInstances.

    Without identifier, snapshot, key, protection, tags and passwords: they are fields of DatabaseSpec or nobody's.
    ca_cert_identifier is left out: the provider sends it in no restore, so a plan would want to change green forever;
    parity reports the difference instead.
    """
    found: dict[str, Any] = {name: element.get(field) for name, field in _GIVEN.items()}
    found |= {name: bool(element.get(field)) for name, field in _FLAGS.items()}
    parts: tuple[Callable[[JsonObject], dict[str, Any]], ...] = (
        _storage, _network, _groups, _backup, _monitoring, _secret, _directory
    )  # fmt: skip
    for part in parts:
        found |= part(element)
    if not str(element.get("Engine", "")).startswith("sqlserver"):
        found["db_name"] = element.get("DBName")
    return {name: value for name, value in sorted(found.items()) if value is not None and value != ""}


def as_adopted(settings: JsonObject) -> dict[str, Any]:
    """The settings of an instance that is imported, not made: without what an import cannot read and would set anew.

    That the master password is managed is such a one: naming it would make the provider call ModifyDBInstance on blue.
    """
    return {name: value for name, value in settings.items() if name not in _SECRET_SETTINGS}


def rekeyed(settings: JsonObject, old_key_arn: str | None, new_key_arn: str) -> dict[str, Any]:
    """The settings with every other use of the old key moved to the new one (Performance Insights, master secret).

    Performance Insights' key can never be changed on an instance, so green is the only chance to leave the old key.
    """
    return {
        name: new_key_arn if name in KEY_SETTINGS and old_key_arn is not None and value == old_key_arn else value
        for name, value in settings.items()
    }


def not_carried(element: JsonObject) -> tuple[str, ...]:
    """What blue has and aws_db_instance cannot give to green, in words; parity would stop on each of them later."""
    parts = (
        ("IAM roles for features", _listed(element, "AssociatedRoles", "FeatureName", "RoleArn")),
        ("processor features", _listed(element, "ProcessorFeatures", "Name", "Value")),
        (
            "automated backups replicated to another Region",
            _listed(element, "DBInstanceAutomatedBackupsReplications", "DBInstanceAutomatedBackupsArn"),
        ),
    )
    found = [f"{words}: {listed}" for words, listed in parts if listed]
    if element.get("ActivityStreamStatus") in ("started", "starting"):
        found.append(f"a database activity stream: {element.get('ActivityStreamMode', '')}")
    return tuple(found)


def _listed(element: JsonObject, field: str, *members: str) -> str:
    return ", ".join(" ".join(str(item.get(m, "")) for m in members).strip() for item in element.get(field) or [])


def _storage(element: JsonObject) -> dict[str, Any]:
    kind, size = element.get("StorageType"), element.get("AllocatedStorage")
    ceiling = element.get("MaxAllocatedStorage")
    provisioned = kind in ("io1", "io2") or (kind == "gp3" and _gp3_may_be_tuned(element))
    return {
        "max_allocated_storage": ceiling if ceiling and ceiling != size else None,
        "iops": (element.get("Iops") or None) if provisioned else None,
        "storage_throughput": (element.get("StorageThroughput") or None) if provisioned and kind == "gp3" else None,
    }


def _gp3_may_be_tuned(element: JsonObject) -> bool:
    """Below the striping threshold AWS refuses gp3's IOPS and throughput, also when they are the baseline."""
    engine = str(element.get("Engine", ""))
    if engine.startswith(("sqlserver", "custom-sqlserver")):
        return True
    threshold = 200 if engine.startswith(("oracle", "custom-oracle")) else 400
    return int(element.get("AllocatedStorage") or 0) >= threshold


def _network(element: JsonObject) -> dict[str, Any]:
    groups = element.get("VpcSecurityGroups") or []
    target = element.get("BackupTarget")
    return {
        "availability_zone": None if element.get("MultiAZ") else element.get("AvailabilityZone"),
        "db_subnet_group_name": (element.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "vpc_security_group_ids": sorted(g["VpcSecurityGroupId"] for g in groups) or None,
        # DbInstancePort is 0 outside clusters; the endpoint's port is the true one.
        "port": (element.get("Endpoint") or {}).get("Port") or None,
        "customer_owned_ip_enabled": True if element.get("CustomerOwnedIpEnabled") else None,
        "backup_target": target if target != "region" else None,
    }


def _groups(element: JsonObject) -> dict[str, Any]:
    parameters = element.get("DBParameterGroups") or []
    options = element.get("OptionGroupMemberships") or []
    option = options[0]["OptionGroupName"] if options else None
    return {
        "parameter_group_name": parameters[0]["DBParameterGroupName"] if parameters else None,
        # Restoring picks the engine's default group by itself; naming it ties the data to the major version.
        "option_group_name": None if option is None or option.startswith("default:") else option,
    }


def _backup(element: JsonObject) -> dict[str, Any]:
    window = element.get("PreferredMaintenanceWindow")
    return {
        "backup_retention_period": int(element.get("BackupRetentionPeriod") or 0),
        "maintenance_window": window.lower() if window else None,
        "enabled_cloudwatch_logs_exports": sorted(element.get("EnabledCloudwatchLogsExports") or []),
    }


def _monitoring(element: JsonObject) -> dict[str, Any]:
    interval = int(element.get("MonitoringInterval") or 0)
    insights = bool(element.get("PerformanceInsightsEnabled"))
    return {
        "monitoring_interval": interval,
        "monitoring_role_arn": element.get("MonitoringRoleArn") if interval else None,
        "performance_insights_kms_key_id": element.get("PerformanceInsightsKMSKeyId") if insights else None,
        "performance_insights_retention_period": (
            element.get("PerformanceInsightsRetentionPeriod") or None if insights else None
        ),
    }


def _secret(element: JsonObject) -> dict[str, Any]:
    secret = element.get("MasterUserSecret")
    if not secret:
        return {}
    return {"manage_master_user_password": True, "master_user_secret_kms_key_id": secret.get("KmsKeyId")}


def _directory(element: JsonObject) -> dict[str, Any]:
    memberships = element.get("DomainMemberships") or []
    if not memberships:
        return {}
    first = memberships[0]
    if first.get("AuthSecretArn"):
        return {
            "domain_fqdn": first.get("FQDN"),
            "domain_ou": first.get("OU"),
            "domain_auth_secret_arn": first["AuthSecretArn"],
            "domain_dns_ips": list(first.get("DnsIps") or []) or None,
        }
    return {"domain": first.get("Domain"), "domain_iam_role_name": first.get("IAMRoleName")}
