"""One DB instance: all of the database, one endpoint, one volume. Implements topology.interface.Topology over RDS."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.aws import mending, parity, settings
from rotator.aws.interface import Rds
from rotator.aws.logs import LogFile
from rotator.aws.managed import secret_of
from rotator.domain import addresses
from rotator.domain.aws import Deployment, Snapshot
from rotator.domain.json_object import JsonObject
from rotator.topology.interface import Need, Traits

_OTHER_KINDS = ("DBClusterIdentifier", "ReadReplicaDBInstanceIdentifiers", "ReadReplicaSourceDBInstanceIdentifier")
"""Fields that only a cluster's member, an instance with replicas or a replica has (RDS API reference, DBInstance)."""
_NEEDS = {"DBInstances": 1, "ManualSnapshots": 2}


@dataclass(frozen=True)
class SingleInstance:
    """An instance that stands alone."""

    rds: Rds
    kind: str = "instance"
    in_force_field: str = "ParameterApplyStatus"

    # --- AWS ---

    def find(self, identifier: str) -> Deployment | None:
        return self.rds.instance(identifier)

    def modify(self, identifier: str, settings: Mapping[str, Any]) -> None:
        self.rds.modify(identifier, settings)

    def snapshot(self, identifier: str) -> Snapshot | None:
        return self.rds.snapshot(identifier)

    def create_snapshot(self, deployment: str, identifier: str, tags: Mapping[str, str]) -> Snapshot:
        return self.rds.create_snapshot(deployment, identifier, tags)

    def copy_snapshot(self, source: Snapshot, identifier: str, kms_key_arn: str, tags: Mapping[str, str]) -> Snapshot:
        return self.rds.copy_snapshot(source, identifier, kms_key_arn, tags)

    def delete_snapshot(self, identifier: str) -> None:
        self.rds.delete_snapshot(identifier)

    def needs(self) -> tuple[Need, ...]:
        return tuple(Need(quota, _NEEDS[quota.name]) for quota in self.rds.quotas() if quota.name in _NEEDS)

    def log_files(self, deployment: str) -> tuple[LogFile, ...]:
        return self.rds.log_files(deployment)

    def log_lines(self, deployment: str, name: str) -> Iterator[str]:
        return self.rds.log_lines(deployment, name)

    def log_tail(self, deployment: str, name: str, lines: int = 1000) -> tuple[str, ...]:
        return self.rds.log_tail(deployment, name, lines)

    # --- Terraform ---

    def address(self, generation: str) -> str:
        return addresses.database(generation)

    def as_adopted(self, blue: Deployment) -> JsonObject:
        return settings.as_adopted(blue.settings)

    def as_green(self, blue: Deployment, new_key_arn: str | None) -> JsonObject:
        if not (blue.kms_key_arn and new_key_arn):
            return blue.settings
        return settings.rekeyed(blue.settings, blue.kms_key_arn, new_key_arn)

    # --- rules ---

    def not_of_this_kind(self, found: Deployment) -> tuple[str, ...]:
        values = {field: found.raw.get(field) for field in _OTHER_KINDS}
        return tuple(
            f"{field} = {', '.join(value) if isinstance(value, list) else value}"
            for field, value in values.items()
            if value
        )

    def traits(self, found: Deployment) -> Traits:
        return Traits(
            iam_authentication=bool(found.raw.get("IAMDatabaseAuthenticationEnabled")),
            certificate_authority=found.raw.get("CACertificateIdentifier"),
            managed_secret=secret_of(found),
        )

    def differences(self, blue: Deployment, green: Deployment, given_tags: Mapping[str, str]) -> tuple[str, ...]:
        return parity.differences(blue, green, given_tags)

    def compared(self, blue: Deployment) -> int:
        return len(blue.raw)

    def mends(self, blue: Deployment, differing: Collection[str]) -> Mapping[str, Any]:
        return mending.mends(blue, differing)

    def lost(self, blue: Deployment, accepted: Collection[str]) -> tuple[str, ...]:
        return mending.lost(blue, accepted)

    def not_carried(self, blue: Deployment) -> tuple[str, ...]:
        return settings.not_carried(blue.raw)

    def not_in_force(self, blue: Deployment) -> tuple[str, ...]:
        return mending.not_in_force(blue.raw)
