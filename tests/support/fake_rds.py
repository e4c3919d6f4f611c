"""RDS in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fake_world import World, make_snapshot

from rotator.aws.logs import LogFile
from rotator.domain.aws import AutomatedBackup, Deployment, Quota, Snapshot
from rotator.domain.errors import AwsError


@dataclass
class FakeRds:
    world: World

    def instance(self, identifier: str) -> Deployment | None:
        return self.world.instances.get(identifier)

    def instances(self) -> tuple[Deployment, ...]:
        return tuple(self.world.instances.values())

    def snapshot(self, identifier: str) -> Snapshot | None:
        found = self.world.snapshots.get(identifier)
        if found is None or found.status == "available":
            return found
        percent = min(found.percent + 50, 100)
        status = "available" if percent == 100 else found.status
        self.world.snapshots[identifier] = replace(found, percent=percent, status=status)
        return self.world.snapshots[identifier]

    def snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(self.world.snapshots.values())

    def automated_backups(self) -> tuple[AutomatedBackup, ...]:
        return tuple(self.world.backups)

    def quotas(self) -> tuple[Quota, ...]:
        if "quotas" in self.world.fail:
            raise self.world.fail["quotas"]
        return (Quota("DBInstances", len(self.world.instances), 40),)

    def log_files(self, instance: str) -> tuple[LogFile, ...]:
        return (LogFile("error/postgresql.log", self.world.time, 10),)

    def log_lines(self, instance: str, name: str) -> Iterator[str]:
        yield from (
            f"2026-01-01 00:00:00 UTC::@:[1]:LOG:  {said}" for said in ("redo starts at 0/1", "redo done at 0/9")
        )

    def log_tail(self, instance: str, name: str, lines: int = 1000) -> tuple[str, ...]:
        return ()

    def create_snapshot(self, instance: str, identifier: str, tags: Mapping[str, str]) -> Snapshot:
        if instance not in self.world.instances:
            raise AwsError(f"DBInstanceNotFound: {instance}")

        def do() -> Snapshot:
            source = self.world.instances[instance]
            made = replace(
                make_snapshot(identifier, instance, source.kms_key_arn, tags), instance_resource_id=source.resource_id
            )
            self.world.snapshots[identifier] = made
            self.world.snapshot_data[identifier] = self.world.data[instance].copy()
            return made

        return self.world.effect("create_snapshot", do)

    def copy_snapshot(self, source: Snapshot, identifier: str, kms_key_arn: str, tags: Mapping[str, str]) -> Snapshot:
        def do() -> Snapshot:
            key = self.world.copy_key or kms_key_arn
            made = make_snapshot(identifier, source.instance_identifier, key, tags)
            made = replace(made, instance_resource_id=source.instance_resource_id)
            self.world.snapshots[identifier] = made
            self.world.snapshot_data[identifier] = self.world.snapshot_data[source.identifier].copy()
            return made

        return self.world.effect("copy_snapshot", do)

    def modify(self, identifier: str, settings: Mapping[str, Any]) -> None:
        def do() -> None:
            found = self.world.instances[identifier]
            self.world.instances[identifier] = replace(found, raw={**found.raw, **settings})

        self.world.effect("modify", do)

    def delete_snapshot(self, identifier: str) -> None:
        self.world.effect("delete_snapshot", lambda: self.world.snapshots.pop(identifier))
