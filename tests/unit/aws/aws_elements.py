"""Whole DescribeDBInstances elements, one per engine, after the examples of the RDS API reference."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "123456789012"
OLD_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-1111-1111-1111-111111111111"
NEW_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/22222222-2222-2222-2222-222222222222"
OTHER_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/33333333-3333-3333-3333-333333333333"

POSTGRES: dict[str, Any] = {
    "DBInstanceIdentifier": "orders",
    "DBInstanceClass": "db.m7g.large",
    "Engine": "postgres",
    "DBInstanceStatus": "available",
    "MasterUsername": "postgres",
    "DBName": "orders",
    "Endpoint": {"Address": "orders.c1.eu-west-1.rds.amazonaws.com", "Port": 5432, "HostedZoneId": "Z29XKXDKYMONMX"},
    "AllocatedStorage": 500,
    "InstanceCreateTime": datetime(2023, 5, 1, 12, 0, tzinfo=UTC),
    "PreferredBackupWindow": "03:10-03:40",
    "BackupRetentionPeriod": 7,
    "DBSecurityGroups": [],
    "VpcSecurityGroups": [
        {"VpcSecurityGroupId": "sg-0b", "Status": "active"},
        {"VpcSecurityGroupId": "sg-0a", "Status": "active"},
    ],
    "DBParameterGroups": [{"DBParameterGroupName": "orders-pg16", "ParameterApplyStatus": "in-sync"}],
    "AvailabilityZone": "eu-west-1a",
    "SecondaryAvailabilityZone": "eu-west-1b",
    "DBSubnetGroup": {
        "DBSubnetGroupName": "private",
        "VpcId": "vpc-1",
        "SubnetGroupStatus": "Complete",
        "Subnets": [{"SubnetIdentifier": "subnet-1", "SubnetStatus": "Active"}],
    },
    "PreferredMaintenanceWindow": "Sun:04:00-Sun:04:30",
    "UpgradeRolloutOrder": "second",
    "PendingModifiedValues": {},
    "LatestRestorableTime": datetime(2024, 5, 1, 12, 0, tzinfo=UTC),
    "MultiAZ": True,
    "EngineVersion": "16.3",
    "AutoMinorVersionUpgrade": True,
    "ReadReplicaDBInstanceIdentifiers": [],
    "LicenseModel": "postgresql-license",
    "Iops": 12000,
    "StorageThroughput": 500,
    "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-16", "Status": "in-sync"}],
    "PubliclyAccessible": False,
    "StorageType": "gp3",
    "DbInstancePort": 0,
    "StorageEncrypted": True,
    "KmsKeyId": OLD_KEY,
    "DbiResourceId": "db-AAAAAAAAAAAAAAAAAAAAAAAAAA",
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "DomainMemberships": [],
    "CopyTagsToSnapshot": True,
    "MonitoringInterval": 60,
    "EnhancedMonitoringResourceArn": "arn:aws:logs:eu-west-1:123456789012:log-group:RDSOSMetrics:log-stream:db-AAAA",
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/rds-monitoring",
    "DBInstanceArn": "arn:aws:rds:eu-west-1:123456789012:db:orders",
    "IAMDatabaseAuthenticationEnabled": True,
    "DatabaseInsightsMode": "standard",
    "PerformanceInsightsEnabled": True,
    "PerformanceInsightsKMSKeyId": OLD_KEY,
    "PerformanceInsightsRetentionPeriod": 7,
    "EnabledCloudwatchLogsExports": ["upgrade", "postgresql"],
    "DeletionProtection": True,
    "AssociatedRoles": [],
    "MaxAllocatedStorage": 1000,
    "TagList": [
        {"Key": "team", "Value": "orders"},
        {"Key": "aws:cloudformation:stack-name", "Value": "base"},
        {"Key": "rotator:generation", "Value": "g0"},
    ],
    "CustomerOwnedIpEnabled": False,
    "NetworkType": "IPV4",
    "ActivityStreamStatus": "stopped",
    "BackupTarget": "region",
    "CertificateDetails": {
        "CAIdentifier": "rds-ca-rsa2048-g1",
        "ValidTill": datetime(2025, 5, 1, 12, 0, tzinfo=UTC),
    },
    "DedicatedLogVolume": False,
    "IsStorageConfigUpgradeAvailable": False,
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
}

MYSQL: dict[str, Any] = {
    **deepcopy(POSTGRES),
    "DBInstanceIdentifier": "shop",
    "Engine": "mysql",
    "EngineVersion": "8.0.39",
    "LicenseModel": "general-public-license",
    "MasterUsername": "admin",
    "DBName": "shop",
    "Endpoint": {"Address": "shop.c1.eu-west-1.rds.amazonaws.com", "Port": 3306, "HostedZoneId": "Z29XKXDKYMONMX"},
    "AllocatedStorage": 100,
    "MaxAllocatedStorage": 100,
    "Iops": 3000,
    "StorageThroughput": 125,
    "MultiAZ": False,
    "OptionGroupMemberships": [{"OptionGroupName": "shop-audit", "Status": "in-sync"}],
    "DBParameterGroups": [{"DBParameterGroupName": "default.mysql8.0", "ParameterApplyStatus": "in-sync"}],
    "EnabledCloudwatchLogsExports": ["slowquery", "audit", "error"],
    "MonitoringInterval": 0,
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/left-over",
    "PerformanceInsightsEnabled": False,
    "PerformanceInsightsRetentionPeriod": 0,
    "BackupRetentionPeriod": 0,
    "MasterUserSecret": {
        "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-a",
        "SecretStatus": "active",
        "KmsKeyId": OLD_KEY,
    },
}

SQLSERVER: dict[str, Any] = {
    **deepcopy(POSTGRES),
    "DBInstanceIdentifier": "ledger",
    "Engine": "sqlserver-se",
    "EngineVersion": "15.00.4375.4.v1",
    "LicenseModel": "license-included",
    "MasterUsername": "admin",
    "Endpoint": {"Address": "ledger.c1.eu-west-1.rds.amazonaws.com", "Port": 1433, "HostedZoneId": "Z29XKXDKYMONMX"},
    "AllocatedStorage": 200,
    "Iops": 3000,
    "StorageThroughput": 125,
    "CharacterSetName": "SQL_Latin1_General_CP1_CI_AS",
    "Timezone": "GMT Standard Time",
    "DomainMemberships": [
        {
            "Domain": "d-1234567890",
            "Status": "joined",
            "FQDN": "corp.example.com",
            "IAMRoleName": "rds-directory",
        }
    ],
    "EnabledCloudwatchLogsExports": ["agent", "error"],
}
del SQLSERVER["DBName"], SQLSERVER["EngineLifecycleSupport"]

ORACLE: dict[str, Any] = {
    **deepcopy(POSTGRES),
    "DBInstanceIdentifier": "crm",
    "Engine": "oracle-ee",
    "EngineVersion": "19.0.0.0.ru-2024-07.rur-2024-07.r1",
    "LicenseModel": "bring-your-own-license",
    "MasterUsername": "admin",
    "DBName": "ORCL",
    "Endpoint": {"Address": "crm.c1.eu-west-1.rds.amazonaws.com", "Port": 1521, "HostedZoneId": "Z29XKXDKYMONMX"},
    "StorageType": "io2",
    "AllocatedStorage": 200,
    "Iops": 20000,
    "StorageThroughput": 0,
    "CharacterSetName": "AL32UTF8",
    "NcharCharacterSetName": "AL16UTF16",
    "DBSystemId": "ORCL",
    "ProcessorFeatures": [{"Name": "coreCount", "Value": "4"}, {"Name": "threadsPerCore", "Value": "1"}],
    "DomainMemberships": [
        {
            "Domain": "",
            "Status": "joined",
            "FQDN": "corp.example.com",
            "OU": "OU=rds,DC=corp,DC=example,DC=com",
            "AuthSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ad",
            "DnsIps": ["10.0.0.5", "10.0.0.4"],
        }
    ],
    "EnabledCloudwatchLogsExports": ["alert", "listener"],
}
del ORACLE["EngineLifecycleSupport"]

ENGINES = {"postgres": POSTGRES, "mysql": MYSQL, "sqlserver": SQLSERVER, "oracle": ORACLE}


def element(engine: str = "postgres", **fields: Any) -> dict[str, Any]:
    """A copy of an engine's element with other fields; None takes a field away."""
    merged = {**deepcopy(ENGINES[engine]), **fields}
    return {name: value for name, value in merged.items() if value is not None}


def green_of(blue: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What RDS describes of a sound green: another identity, the new key, other times, all else the same."""
    name = f"{blue['DBInstanceIdentifier']}-g1"
    changed = {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": f"arn:aws:rds:eu-west-1:123456789012:db:{name}",
        "DbiResourceId": "db-BBBBBBBBBBBBBBBBBBBBBBBBBB",
        "Endpoint": {**blue["Endpoint"], "Address": f"{name}.c1.eu-west-1.rds.amazonaws.com"},
        "KmsKeyId": NEW_KEY,
        "InstanceCreateTime": datetime(2024, 6, 1, tzinfo=UTC),
        "LatestRestorableTime": None,
        "CertificateDetails": {**blue["CertificateDetails"], "ValidTill": datetime(2026, 6, 1, tzinfo=UTC)},
        "DBParameterGroups": [{**g, "ParameterApplyStatus": "pending-reboot"} for g in blue["DBParameterGroups"]],
        "VpcSecurityGroups": [{**g, "Status": "adding"} for g in reversed(blue["VpcSecurityGroups"])],
        "StorageOperationStatus": "Initializing",
        "StorageOperationPercentProgress": 3,
        "PerformanceInsightsKMSKeyId": NEW_KEY if blue.get("PerformanceInsightsKMSKeyId") == OLD_KEY else None,
        "EnhancedMonitoringResourceArn": "arn:aws:logs:eu-west-1:123456789012:log-group:RDSOSMetrics:log-stream:db-BB",
        "TagList": [*blue["TagList"][:1], {"Key": "rotator:generation", "Value": "g1"}],
    }
    if "MasterUserSecret" in blue:
        changed["MasterUserSecret"] = {
            "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-2-b",
            "SecretStatus": "creating",
            "KmsKeyId": NEW_KEY,
        }
    merged = {**deepcopy(blue), **changed, **fields}
    return {name: value for name, value in merged.items() if value is not None}
