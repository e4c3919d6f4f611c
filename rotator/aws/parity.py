"""Whether green has all of blue's settings: two DescribeDBInstances elements compared, field by field. Pure.

Everything is compared but what must differ: identity, endpoint, key, times, and what RDS reports of its own work.
A field that this module does not know is compared, so that a new RDS feature is noticed rather than lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rotator.domain.aws import Deployment
from rotator.domain.json_object import JsonObject

Reading = Callable[[Any, Deployment], Any]
"""A field's value, and the instance it is of -> what counts of it."""

IGNORED = frozenset(
    {
        # identity
        "DBInstanceIdentifier",
        "DBInstanceArn",
        "DbiResourceId",
        # the key: the purpose of it all; that green is encrypted under the new one is proved elsewhere
        "KmsKeyId",
        "StorageEncrypted",
        "StorageEncryptionType",
        # times
        "InstanceCreateTime",
        "LatestRestorableTime",
        "AutomaticRestartTime",
        "ResumeFullAutomationModeTime",
        # what RDS is doing just now
        "DBInstanceStatus",
        "StatusInfos",
        "PercentProgress",
        "StorageVolumeStatus",
        "StorageOperationStatus",
        "StorageOperationPercentProgress",
        "IsStorageConfigUpgradeAvailable",
        # how an instance came to be, and names that belong to one instance
        "AwsBackupRecoveryPointArn",
        "ActivityStreamKinesisStreamName",
        # assigned by an organization's upgrade rollout policy, not a setting of the instance
        "UpgradeRolloutOrder",
        # compared as tags below
        "TagList",
    }
)
ZONES = frozenset({"AvailabilityZone", "SecondaryAvailabilityZone"})
"""Chosen by RDS for Multi-AZ instances, and exchanged by a failover."""


def differences(blue: Deployment, green: Deployment, given_tags: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Each difference as 'Field: blue=... green=...'; empty when green has all of blue's settings.

    `given_tags` are those that green is given on top of blue's ([tags] of rotation.toml).
    Empty, absent, zero and false are the same: RDS leaves out what is off.
    """
    return (*_fields(blue, green), *_tags(blue.raw, green.raw, given_tags or {}))


def _fields(blue: Deployment, green: Deployment) -> Iterator[str]:
    ignored = IGNORED | ZONES if blue.raw.get("MultiAZ") and green.raw.get("MultiAZ") else IGNORED
    for field in sorted((blue.raw.keys() | green.raw.keys()) - ignored):
        reading = _READINGS.get(field, _as_is)
        left, right = reading(blue.raw.get(field), blue), reading(green.raw.get(field), green)
        if (left or right) and left != right:
            yield f"{field}: blue={_words(left)} green={_words(right)}"


def _tags(blue: JsonObject, green: JsonObject, given: Mapping[str, str]) -> Iterator[str]:
    left, right = _tag_map(blue) | dict(given), _tag_map(green)
    for name in sorted(left.keys() | right.keys()):
        if not name.startswith(("aws:", "rotator:")) and left.get(name) != right.get(name):
            yield f"TagList: {name}: blue={_words(left.get(name))} green={_words(right.get(name))}"


def _tag_map(raw: JsonObject) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in raw.get("TagList") or []}


def _words(value: Any) -> str:
    return "-" if not value and not isinstance(value, str | int) else repr(value)


# --- what counts of a field -------------------------------------------------------------------------------------------


def _as_is(value: Any, _: Deployment) -> Any:
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def _names(*members: str) -> Reading:
    """Memberships count by these members, in any order, and not by their apply status."""

    def read(value: Any, _: Deployment) -> list[str]:
        return sorted(" ".join(_flat(item.get(member)) or "-" for member in members) for item in value or [])

    return read


def _flat(value: Any) -> str:
    return ", ".join(sorted(map(str, value))) if isinstance(value, list) else str(value or "")


def _member(name: str) -> Reading:
    return lambda value, _: (value or {}).get(name)


def _key(value: Any, instance: Deployment) -> Any:
    """A further key counts only when it is not the storage's own, which must differ."""
    return "the storage's key" if value and value == instance.kms_key_arn else value


def _secret(value: Any, instance: Deployment) -> Any:
    """The master secret's ARN is always new; that there is one, and its key, count."""
    return f"managed, under {_key(value.get('KmsKeyId'), instance)}" if value else None


def _whether(value: Any, _: Deployment) -> bool:
    """An ARN that holds the instance's own id: only whether there is one."""
    return bool(value)


def _count(value: Any, _: Deployment) -> int:
    """Things whose names hold the instance's own: only how many there are."""
    return len(value or [])


_READINGS: Mapping[str, Reading] = {
    "Endpoint": _member("Port"),
    "ListenerEndpoint": _member("Port"),
    "DBSubnetGroup": _member("DBSubnetGroupName"),
    "CertificateDetails": _member("CAIdentifier"),
    "EnhancedMonitoringResourceArn": _whether,
    "MasterUserSecret": _secret,
    "PerformanceInsightsKMSKeyId": _key,
    "ActivityStreamKmsKeyId": _key,
    "DBParameterGroups": _names("DBParameterGroupName"),
    "OptionGroupMemberships": _names("OptionGroupName"),
    "VpcSecurityGroups": _names("VpcSecurityGroupId"),
    "DBSecurityGroups": _names("DBSecurityGroupName"),
    "DomainMemberships": _names("Domain", "FQDN", "IAMRoleName", "OU", "AuthSecretArn", "DnsIps"),
    "AssociatedRoles": _names("FeatureName", "RoleArn"),
    "ProcessorFeatures": _names("Name", "Value"),
    "AdditionalStorageVolumes": _names(
        "VolumeName", "AllocatedStorage", "IOPS", "MaxAllocatedStorage", "StorageThroughput", "StorageType"
    ),
    "DBInstanceAutomatedBackupsReplications": _count,
}
