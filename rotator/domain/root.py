"""The env root: its stages, and the data that a rotation changes in it (generations.auto.tfvars.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rotator.domain.json_object import JsonObject


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
