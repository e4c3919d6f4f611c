"""What AWS says: instances, snapshots, keys, records, as far as a rotation is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.json_object import JsonObject


@dataclass(frozen=True)
class Deployment:
    """One DB instance as DescribeDBInstances gives it; `raw` is the whole element, `settings` its Terraform form.

    `allocated_storage` in GiB; `pending` is PendingModifiedValues without empty values.
    """

    identifier: str
    resource_id: str
    arn: str
    status: str
    engine: str
    engine_version: str
    address: str | None
    port: int | None
    kms_key_arn: str | None
    encrypted: bool
    master_username: str
    database_name: str | None
    allocated_storage: int
    deletion_protection: bool
    pending: JsonObject
    settings: JsonObject
    tags: Mapping[str, str]
    raw: JsonObject


@dataclass(frozen=True)
class Snapshot:
    """One DB snapshot. `percent` 0-100; `kind` is SnapshotType (manual, automated, awsbackup, shared)."""

    identifier: str
    arn: str
    instance_identifier: str
    instance_resource_id: str | None
    status: str
    percent: int
    kind: str
    kms_key_arn: str | None
    encrypted: bool
    source_arn: str | None
    created: datetime | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class AutomatedBackup:
    """A retained or active automated backup of an instance (DescribeDBInstanceAutomatedBackups)."""

    instance_identifier: str
    resource_id: str
    status: str
    kms_key_arn: str | None


@dataclass(frozen=True)
class Key:
    """One KMS key: `state` as KeyState (Enabled, Disabled, PendingDeletion, ...), `manager` AWS or CUSTOMER."""

    key_id: str
    arn: str
    state: str
    manager: str
    description: str
    multi_region: bool
    aliases: tuple[str, ...]
    policy: str | None
    rotation_enabled: bool
    rotation_period_in_days: int | None
    deletion_date: datetime | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """One DNS record set in Route 53. Names and values without trailing dots; `alias` is True for alias records.

    `written` are the values letter by letter; `private`: the zone is a private one (None: not asked for).
    """

    zone_id: str
    name: str
    kind: str
    ttl: int | None
    values: tuple[str, ...]
    alias: bool = False
    routing_policy: str | None = None
    health_check: str | None = None
    written: tuple[str, ...] = ()
    private: bool | None = None

    @property
    def is_plain_cname(self) -> bool:
        """Whether it is one that a flip may change: its meaning is its one value."""
        return self.kind == "CNAME" and not self.alias and not self.routing_policy and len(self.values) == 1


@dataclass(frozen=True)
class Quota:
    """Used and maximum of one RDS account quota (DescribeAccountAttributes)."""

    name: str
    used: int
    maximum: int


@dataclass(frozen=True)
class Caller:
    """Who we are for AWS (sts:GetCallerIdentity), and where."""

    account: str
    arn: str
    region: str
