"""Account quotas and requests that AWS refuses on their face."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import InvalidParameterCombination, RDSClientError, SnapshotQuotaExceededFault
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

QUOTAS = {
    "DBInstances": 40,
    "ReservedDBInstances": 40,
    "AllocatedStorage": 100_000,
    "DBSecurityGroups": 25,
    "DBParameterGroups": 50,
    "ManualSnapshots": 100,
    "EventSubscriptions": 20,
    "DBSubnetGroups": 50,
    "OptionGroups": 20,
    "SubnetsPerDBSubnetGroup": 20,
    "ReadReplicasPerMaster": 15,
    "DBClusters": 40,
    "ManualClusterSnapshots": 100,
}
"""AWS's defaults (RDS User Guide, "Quotas and constraints")."""


def _used(backend: RDSBackend) -> dict[str, int]:
    return {
        "DBInstances": len(backend.databases),
        "AllocatedStorage": sum(each.allocated_storage for each in backend.databases.values()),
        "DBParameterGroups": len(backend.db_parameter_groups),
        "ManualSnapshots": sum(each.snapshot_type == "manual" for each in backend.database_snapshots.values()),
        "DBSubnetGroups": len(backend.subnet_groups),
        "OptionGroups": len(backend.option_groups),
        "DBClusters": len(backend.clusters),
    }


def _account_attributes(patcher: Patcher, _: Context) -> None:
    def describe_account_attributes(self: Any) -> ActionResult:
        used = _used(self.backend)
        quotas = [
            {"AccountQuotaName": name, "Used": used.get(name, 0), "Max": maximum} for name, maximum in QUOTAS.items()
        ]
        return ActionResult({"AccountQuotas": quotas})

    patcher.put(RDSResponse, "describe_account_attributes", describe_account_attributes)


def _quotas(patcher: Patcher, _: Context) -> None:
    def make_create(original: Any) -> Any:
        def create_db_instance(self: RDSBackend, db_kwargs: Any) -> Any:
            if len(self.databases) >= QUOTAS["DBInstances"]:
                raise RDSClientError("InstanceQuotaExceeded", "DB Instance quota exceeded")
            return original(self, db_kwargs)

        return create_db_instance

    def snapshot_call(original: Any) -> Any:
        def call(self: RDSBackend, *args: Any, **kwargs: Any) -> Any:
            full = _used(self)["ManualSnapshots"] >= QUOTAS["ManualSnapshots"]
            if full and kwargs.get("snapshot_type") != "automated":
                raise SnapshotQuotaExceededFault()
            return original(self, *args, **kwargs)

        return call

    patcher.wrap(RDSBackend, "create_db_instance", make_create)
    patcher.wrap(RDSBackend, "create_db_snapshot", snapshot_call)
    patcher.wrap(RDSBackend, "copy_db_snapshot", snapshot_call)


def _final_snapshot_rules(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def delete_db_instance(
            self: RDSBackend,
            db_instance_identifier: str,
            final_db_snapshot_identifier: str | None = None,
            skip_final_snapshot: bool | None = False,
            **kwargs: Any,
        ) -> Any:
            if skip_final_snapshot and final_db_snapshot_identifier:
                raise InvalidParameterCombination(
                    "FinalDBSnapshotIdentifier can not be specified when deleting without a final snapshot."
                )
            if not skip_final_snapshot and not final_db_snapshot_identifier:
                raise InvalidParameterCombination(
                    "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
                )
            return original(
                self,
                db_instance_identifier=db_instance_identifier,
                final_db_snapshot_identifier=final_db_snapshot_identifier,
                skip_final_snapshot=skip_final_snapshot,
                **kwargs,
            )

        return delete_db_instance

    patcher.wrap(RDSBackend, "delete_db_instance", make)


def _unsupported(patcher: Patcher, _: Context) -> None:
    def refuse(what: str) -> Any:
        def call(self: RDSBackend, *args: Any, **kwargs: Any) -> Any:
            raise InvalidParameterCombination(f"The local AWS has no {what}: there would be no server behind it.")

        return call

    patcher.put(RDSBackend, "restore_db_instance_to_point_in_time", refuse("point-in-time recovery"))
    patcher.put(RDSBackend, "create_db_instance_read_replica", refuse("read replicas"))


PATCHES = (
    Patch("account-attributes", "moto has no DescribeAccountAttributes", _account_attributes),
    Patch("quotas", "moto has no quota for instances, and one of 1000 for snapshots of all kinds", _quotas),
    Patch(
        "final-snapshot-rules",
        "moto deletes without a final snapshot although none was declined",
        _final_snapshot_rules,
    ),
    Patch(
        "unsupported", "moto invents replicas and point-in-time restores; no server would be behind them", _unsupported
    ),
)
