"""The nouns: frozen data shared by all rooms. No I/O; imports nothing of ours but how names are joined.

Words as in docs/architecture.md: blue serves, green replaces it, a generation is one life of the database
under one key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rotator.qualified import qualified

JsonObject = Mapping[str, Any]


class Strategy(StrEnum):
    """How data gets to green.

    `snapshot` pauses writes from the snapshot to the flip, for every engine. `replicate` lets green catch up by logical
    replication, so that writes pause for a moment at the flip. `auto`, until preflight has decided.
    """

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    REPLICATE = "replicate"


class Stage(StrEnum):
    """States of the Terraform root; each is one plan, reviewed by the policy, and one apply."""

    ADOPT = "adopt"
    KEY = "key"
    LOWER_TTL = "lower-ttl"
    GREEN = "green"
    CUTOVER = "cutover"
    UNGATE = "ungate"
    RESTORE_TTL = "restore-ttl"
    UNPROTECT = "unprotect"
    RETIRE_DATABASE = "retire-database"
    DISABLE_KEY = "disable-key"
    RETIRE_KEY = "retire-key"
    ROLLBACK_CUTOVER = "rollback-cutover"
    ROLLBACK_UNPROTECT = "rollback-unprotect"
    ROLLBACK = "rollback"


# --- the env root's data (generations.auto.tfvars.json) ---------------------------------------------------------------


@dataclass(frozen=True)
class KeySpec:
    """One KMS key as the root's data describes it (inputs of modules/kms_key).

    `policy` is a JSON document, or None for the module's own statement-per-audience policy. `rds_callers` may use it
    by calling RDS: ARNs, or "*" alone; None is what keys have that were made before there was a choice.
    `rotation_period_in_days` (90-2560) counts only with `enable_key_rotation`; `deletion_window_in_days` is 7-30.
    """

    alias: str | None
    description: str
    policy: str | None = None
    administrators: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rds_callers: tuple[str, ...] | None = None
    enable_key_rotation: bool = True
    rotation_period_in_days: int | None = 365
    deletion_window_in_days: int = 30
    multi_region: bool = False
    is_enabled: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatabaseSpec:
    """One RDS instance as the root's data describes it (inputs of modules/db_instance).

    `settings` keys are argument names of Terraform's aws_db_instance; absent keys are left to the provider.
    `kms_key_arn` is given only where the generation's key is not managed by this root (AWS managed or another team's).
    """

    identifier: str
    settings: JsonObject
    snapshot_identifier: str | None = None
    kms_key_arn: str | None = None
    deletion_protection: bool = False
    skip_final_snapshot: bool = False
    delete_automated_backups: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Generation:
    """One life of the database under one key. Either half may be gone (retired) or not ours (key None)."""

    key: KeySpec | None
    database: DatabaseSpec | None


@dataclass(frozen=True)
class EndpointSpec:
    """A CNAME that applications use. `ttl` in seconds; `name` without a trailing dot.

    `spelling`: its value as people wrote it (upper case, a trailing dot), kept for as long as it names that host.
    """

    zone_id: str
    name: str
    ttl: int
    spelling: str | None = None

    @property
    def key(self) -> str:
        """Which record it is: one name may be in several zones."""
        return f"{self.zone_id}/{self.name}"


@dataclass(frozen=True)
class Imports:
    """What the adopt stage imports: generation -> import id; `record` is ZONEID_NAME_CNAME or None.

    `also`: the same of further records, by their keys.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)
    record: str | None = None
    also: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RootData:
    """All that a rotation changes in the env root. `gate`: folder of the gate's pipes at cutover, else None.

    `endpoint` is the applications' record; `also` are further ones that flip with it.
    """

    generations: Mapping[str, Generation]
    serving: str
    endpoint: EndpointSpec
    also: tuple[EndpointSpec, ...] = ()
    gate: str | None = None
    imports: Imports = field(default_factory=Imports)

    @property
    def names(self) -> tuple[EndpointSpec, ...]:
        """Every record that flips, the applications' own first."""
        return (self.endpoint, *self.also)


# --- what AWS says ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Instance:
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


# --- what the database says -------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Table:
    """A table with storage of its own (ordinary or partition leaf). `estimated_rows` from the statistics, >= 0.

    `unlogged`: not in the server's log, so it is empty after a crash or a restore.
    """

    database: str
    schema: str
    name: str
    estimated_rows: int = 0
    size_bytes: int = 0
    unlogged: bool = False

    def __str__(self) -> str:
        return qualified(self.database, self.schema, self.name)


@dataclass(frozen=True)
class TableDigest:
    """Row count and a digest of the whole contents of one table; equal digests mean equal contents."""

    rows: int
    digest: str


@dataclass(frozen=True)
class SequenceState:
    """A sequence's position as pg_catalog stores it; the sign of `increment` tells which way is ahead.

    `cache`: how many numbers a session takes at once.
    """

    last_value: int
    is_called: bool
    increment: int = 1
    cache: int = 1


@dataclass(frozen=True)
class Finding:
    """One preflight finding: what it is, what would be lost or fail, what to do. `blocks` stops the rotation."""

    code: str
    what: str
    why: str
    fix: str
    blocks: bool


@dataclass(frozen=True)
class FenceState:
    """`on` is True only when every table of every database refuses writes; `open_tables` are those that do not.

    `leased`: somewhere it is a window's fence, which opens by itself when its driver does not seal it.
    `rotation_id` is the marker's, a rotation's identity: whose fence it is, or (after it was lifted) was last; None
    without a marker.
    """

    on: bool
    rotation_id: str | None
    fenced_tables: int
    open_tables: tuple[str, ...] = ()
    leased: bool = False

    @property
    def sealed(self) -> bool:
        """Whether every table refuses writes until somebody opens it again."""
        return self.on and not self.leased


@dataclass(frozen=True)
class WriteStats:
    """Writes a server has seen since it started counting; `tables` (database.schema.table) are those written to."""

    inserted: int
    updated: int
    deleted: int
    tables: tuple[str, ...]


# --- rotation ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rotation:
    """One rotation: from generation `source` to `target`. All names derive from here, never from the clock.

    Names are equal in every clone of the env; `nonce` is drawn when the rotation begins and is not (empty in journals
    of older versions). What carries our names and another nonce is somebody else's.
    """

    id: str
    env: str
    source: str
    target: str
    strategy: Strategy
    blue: str
    green: str
    source_snapshot: str
    copy_snapshot: str
    final_snapshot: str
    final_copy: str
    rolled_back_snapshot: str
    new_alias: str
    nonce: str = ""

    @property
    def identity(self) -> str:
        """Which rotation this is, in the database's marker and in the names of what is made there."""
        return f"{self.id}-{self.nonce}" if self.nonce else self.id

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags on everything that this rotation makes; adoption of found things checks them."""
        nonce = {"rotator:nonce": self.nonce} if self.nonce else {}
        return {"rotator:env": self.env, "rotator:rotation": self.id, "rotator:generation": self.target, **nonce}
