"""An AWS, a Terraform and a database in memory, behind the project's own interfaces: all of them under one name."""

from fake_aws import FakeDns, FakeIdentity, FakeKeyUses, FakeKms
from fake_clock import FakeClock, RecordingReporter
from fake_database import FakeDatabases, FakeServer
from fake_network import FakeResolver, FakeWatch
from fake_rds import FakeRds
from fake_stages import FakeStages
from fake_world import (
    ACCOUNT,
    BLUE,
    OLD_KEY,
    REGION,
    Data,
    Killed,
    World,
    config,
    env,
    instance,
    make_snapshot,
    managed_secret,
    new_world,
    record_at,
)

__all__ = [
    "ACCOUNT",
    "BLUE",
    "OLD_KEY",
    "REGION",
    "Data",
    "FakeClock",
    "FakeDatabases",
    "FakeDns",
    "FakeIdentity",
    "FakeKeyUses",
    "FakeKms",
    "FakeRds",
    "FakeResolver",
    "FakeServer",
    "FakeStages",
    "FakeWatch",
    "Killed",
    "RecordingReporter",
    "World",
    "config",
    "env",
    "instance",
    "make_snapshot",
    "managed_secret",
    "new_world",
    "record_at",
]
