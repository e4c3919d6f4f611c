"""What the steps need of AWS. Implementations (boto3) live beside this file; tests use fakes of these protocols.

All methods raise AwsError (AwsCredentialsError, AwsUnreachable) with the API's own code in `why`; "not found" is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rotator.model import AutomatedBackup, Caller, Instance, Key, Quota, Record, Snapshot


class Rds(Protocol):
    """RDS, as far as a rotation needs it. Creating calls return at once: waiting is the engine's."""

    def instance(self, identifier: str) -> Instance | None: ...
    def instances(self) -> tuple[Instance, ...]: ...
    def snapshot(self, identifier: str) -> Snapshot | None: ...
    def snapshots(self) -> tuple[Snapshot, ...]: ...
    def automated_backups(self) -> tuple[AutomatedBackup, ...]: ...
    def quotas(self) -> tuple[Quota, ...]: ...
    def create_snapshot(self, instance: str, identifier: str, tags: Mapping[str, str]) -> Snapshot: ...
    def copy_snapshot(
        self, source: Snapshot, identifier: str, kms_key_arn: str, tags: Mapping[str, str]
    ) -> Snapshot: ...
    def delete_snapshot(self, identifier: str) -> None: ...


class Kms(Protocol):
    """KMS: reading only; keys are made and retired by Terraform. `key` takes an id, an ARN, or alias/NAME."""

    def key(self, key: str) -> Key | None: ...


class Dns(Protocol):
    """Route 53: reading only; the record is changed by Terraform."""

    def zone_id(self, zone: str, *, private: bool) -> str | None: ...
    def record(self, zone_id: str, name: str) -> Record | None: ...


class Identity(Protocol):
    """Who and where we are."""

    def caller(self) -> Caller: ...


class Secrets(Protocol):
    """Secrets Manager: the database's credentials. Values never leave the process."""

    def json_secret(self, secret_id: str) -> Mapping[str, str]: ...
