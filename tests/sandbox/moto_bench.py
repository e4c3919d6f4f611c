"""A local AWS without servers, for tests of the patches: in-process moto, a fake fleet, a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from sandbox_fakes import FakeClock, FakeFleet

from rotator.sandbox.aws.patches import PATCHES, Context, Patch, installed
from rotator.sandbox.aws.timeline import Durations

REGION = "eu-central-1"
TAKES = Durations(create=10, snapshot=10, copy=10, restore=10, modify=10, delete=10)


@dataclass(frozen=True)
class Bench:
    """Clients, and what is behind them."""

    fleet: FakeFleet
    clock: FakeClock
    rds: Any
    kms: Any
    ec2: Any
    route53: Any
    secrets: Any
    s3: Any

    def settle(self) -> None:
        """Let everything that takes time be over."""
        self.clock.pass_seconds(100)

    def key(self) -> str:
        """ARN of a new key."""
        return str(self.kms.create_key()["KeyMetadata"]["Arn"])

    def instance(self, identifier: str = "blue", *, settled: bool = True, **settings: Any) -> Any:
        """A new instance, described; available already when `settled`."""
        self.rds.create_db_instance(
            **{
                "DBInstanceIdentifier": identifier,
                "DBInstanceClass": "db.m6g.large",
                "Engine": "postgres",
                "EngineVersion": "15.10",
                "AllocatedStorage": 20,
                "MasterUsername": "admin_user",
                "MasterUserPassword": "first-password",
                "DBName": "shop",
                **settings,
            }
        )
        if settled:
            self.settle()
        return self.describe(identifier)

    def describe(self, identifier: str = "blue") -> Any:
        """DescribeDBInstances of one."""
        return self.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def snapshot(self, name: str = "snap", *, settled: bool = True) -> Any:
        """A snapshot of blue, described."""
        self.rds.create_db_snapshot(DBInstanceIdentifier="blue", DBSnapshotIdentifier=name)
        if settled:
            self.settle()
        return self.described_snapshot(name)

    def copy(self, source: str, target: str, **more: Any) -> Any:
        """A finished copy, described."""
        self.rds.copy_db_snapshot(SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=target, **more)
        self.settle()
        return self.described_snapshot(target)

    def described_snapshot(self, name: str) -> Any:
        """DescribeDBSnapshots of one."""
        return self.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]

    def restore(self, snapshot: str = "snap", identifier: str = "green", **settings: Any) -> Any:
        """A restored instance, available, described."""
        self.rds.restore_db_instance_from_db_snapshot(
            DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=identifier, **settings
        )
        self.settle()
        return self.describe(identifier)

    def modify(self, **settings: Any) -> Any:
        """Blue after a modification, described."""
        self.rds.modify_db_instance(DBInstanceIdentifier="blue", **settings)
        self.settle()
        return self.describe(settings.get("NewDBInstanceIdentifier") or "blue")

    def secret(self, arn: str) -> Any:
        """A secret's JSON."""
        return json.loads(self.secrets.get_secret_value(SecretId=arn)["SecretString"])


def outcome(call: Callable[[], Any]) -> str:
    """'done', or the error code that AWS's client got."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def without(name: str) -> tuple[Patch, ...]:
    """All patches but one and those that build on it."""
    assert name in {patch.name for patch in PATCHES}
    return tuple(patch for patch in PATCHES if patch.name != name and name not in patch.needs)


@cache
def _clients() -> tuple[Any, ...]:
    """Clients hold no state of the local AWS, and are slow to make: one set for all tests."""
    session: Any = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)
    return tuple(session.client(name) for name in ("rds", "kms", "ec2", "route53", "secretsmanager", "s3"))


@contextmanager
def services(patches: tuple[Patch, ...] = PATCHES) -> Iterator[Bench]:
    """A bench with these patches on."""
    fleet, clock = FakeFleet(), FakeClock()
    with mock_aws(), installed(patches, Context(fleet, clock, TAKES)):
        yield Bench(fleet, clock, *_clients())
