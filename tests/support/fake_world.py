"""What AWS, Terraform's state and the databases hold, in memory.

Each side effect counts as one step of a crash counter, so that a test can kill a rotation at any of them, before or
after it took effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from rotator.aws.uses import Grant, LastUse
from rotator.config.schema import Env, EnvConfig
from rotator.domain.aws import AutomatedBackup, Deployment, Key, Record, Snapshot
from rotator.domain.database import Finding
from rotator.domain.root import Stage
from rotator.network.interface import CnameAnswer

ACCOUNT, REGION = "123456789012", "eu-central-1"
OLD_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/old"
BLUE = "shop-db"


class Killed(BaseException):
    """The process dies here: nothing of ours may catch it."""


def config(**rotation: Any) -> EnvConfig:
    return EnvConfig.model_validate(
        {
            "aws": {"region": REGION},
            "retire": {"keep_automated_backups": False, "disabled_for": rotation.pop("disabled_for", "0s")},
            "database": {"identifier": BLUE, "access": rotation.pop("access", "direct")},
            "dns": {"zone": "example.internal", "record": "db.example.internal"},
            "key": {"alias": "alias/shop-db"},
            "rotation": {"soak": "0s", "poll_seconds": 1.0, "strategy": "snapshot", **rotation},
        }
    )


def instance(identifier: str, key: str | None, tags: Mapping[str, str], settings: Mapping[str, Any]) -> Deployment:
    raw: dict[str, Any] = {"DBInstanceIdentifier": identifier, "Engine": "postgres", **settings}
    if settings.get("manage_master_user_password"):
        raw["MasterUserSecret"] = {"SecretArn": managed_secret(identifier), "SecretStatus": "active", "KmsKeyId": None}
    return Deployment(
        identifier=identifier,
        resource_id=f"db-{identifier}",
        arn=f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{identifier}",
        status="available",
        engine="postgres",
        engine_version="15.10",
        address=f"{identifier}.abc.{REGION}.rds.amazonaws.com",
        port=5432,
        kms_key_arn=key,
        encrypted=key is not None,
        master_username="master",
        database_name="shop",
        allocated_storage=20,
        deletion_protection=False,
        pending={},
        settings=settings,
        tags=tags,
        raw=raw,
    )


def managed_secret(identifier: str) -> str:
    """Each instance has a secret of its own."""
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-{identifier}-AbCdEf"


def record_at(identifier: str) -> Record:
    target = f"{identifier}.abc.{REGION}.rds.amazonaws.com"
    return Record("Z1", "db.example.internal", "CNAME", 60, (target,), written=(target,))


@dataclass
class Data:
    """What one server holds. A snapshot is a copy of it, fence and marker included."""

    rows: list[str] = field(default_factory=lambda: ["row 1", "row 2"])
    fenced_by: str | None = None
    leased: bool = False
    role: str | None = None
    lineage: str | None = None
    probes: list[str] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=lambda: {"shop.public.item_id_seq": 2})
    schema: dict[str, str] = field(default_factory=lambda: {"table shop.public.item": "d1"})
    running: dict[str, tuple[str, bool]] = field(default_factory=lambda: {"max_connections": ("100", False)})
    touched: int = 0
    """How often somebody has written past the fence."""
    held: int = 0
    """How often a look for idle triggers finds a reader in the way."""
    clinging: int = 0
    """Connections that cannot be ended."""

    def shut(self, rotation_id: str) -> None:
        """One that has been open shows it: the fence is another one."""
        self.touched += self.fenced_by is None or self.leased
        self.fenced_by, self.leased = self.fenced_by or rotation_id, False

    def copy(self) -> Data:
        return deepcopy(self)


@dataclass
class World:
    """The cloud. `kill_at` counts side effects down; at zero the process dies, `after` the effect or before it."""

    instances: dict[str, Deployment] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    backups: list[AutomatedBackup] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    secret_keys: dict[str, str] = field(default_factory=dict)
    log_groups: dict[str, str] = field(default_factory=dict)
    last_use: LastUse | None = None
    started: dict[str, tuple[str, bool]] | None = None
    record: Record = field(default_factory=lambda: record_at(BLUE))
    others: list[Record] = field(default_factory=list)
    resolves: dict[str, CnameAnswer | Exception | None] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()
    data: dict[str, Data] = field(default_factory=dict)
    snapshot_data: dict[str, Data] = field(default_factory=dict)
    state: set[str] = field(default_factory=set)
    applied: list[Stage] = field(default_factory=list)
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    effects: int = 0
    kill_at: int | None = None
    kill_after: bool = False
    fail: dict[str, Exception] = field(default_factory=dict)
    copy_key: str | None = None
    both_writable: int = 0
    against_replicate: tuple[Finding, ...] = ()
    replication: Any = None
    drawn: int = 0
    past_gate: bool = False
    orphan: Callable[[], None] | None = None
    shut_while_serving: int = 0

    def effect(self, name: str, do: Callable[[], Any]) -> Any:
        self.effects += 1
        dying = self.kill_at is not None and self.effects == self.kill_at
        if dying and not self.kill_after:
            raise Killed(name)
        if name in self.fail:
            raise self.fail.pop(name)
        result = do()
        self.check()
        if dying:
            raise Killed(name)
        return result

    def check(self) -> None:
        """I2, after every side effect: never two writable databases of one lineage once green has been opened.

        Strategy replicate: a green that has just been restored is nobody's yet, until it is quarantined.
        """
        raw = [n for n, d in self.data.items() if self.replication and d.role != "green" and n != BLUE]
        open_now = [n for n, d in self.data.items() if d.fenced_by is None and n in self.instances and n not in raw]
        if len(open_now) > 1:
            self.both_writable += 1

    def shuts(self, name: str) -> None:
        """Noted when an instance is shut that serves, outside of the gate's moment."""
        serving = self.record.values[0].startswith(f"{name}.")
        self.shut_while_serving += serving and self.data[name].fenced_by is None

    def outlives(self, identifier: str) -> None:
        """The apply of a killed run goes on, and will flip the record to that instance."""
        target = str(self.instances[identifier].address)

        def flip() -> None:
            self.record = replace(self.record, values=(target,))

        self.orphan = flip

    def expire_leases(self) -> None:
        """Time passes: a fence that its driver has not sealed opens by itself."""
        for data in self.data.values():
            if data.leased:
                data.fenced_by, data.leased = None, False

    def nonce(self) -> str:
        """As secrets.token_hex, and the same in every run of a test."""
        self.drawn += 1
        return f"{self.drawn:016x}"

    def write(self, row: str) -> bool:
        """An application writes through the name; True when it was acknowledged."""
        target = self.record.values[0].split(".")[0]
        data = self.data[target]
        if data.fenced_by is not None:
            return False
        data.rows.append(row)
        return True

    def serving_rows(self) -> list[str]:
        return self.data[self.record.values[0].split(".")[0]].rows


def new_world() -> World:
    world = World()
    world.keys[OLD_KEY] = Key(
        "old", OLD_KEY, "Enabled", "CUSTOMER", "", False, ("alias/legacy",), "{}", False, None, None, {}
    )
    world.instances[BLUE] = instance(BLUE, OLD_KEY, {"team": "shop"}, {"instance_class": "db.t4g.micro"})
    world.data[BLUE] = Data()
    return world


def make_snapshot(identifier: str, instance_name: str, key: str | None, tags: Mapping[str, str]) -> Snapshot:
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:{identifier}"
    return Snapshot(
        identifier, arn, instance_name, None, "creating", 0, "manual", key, key is not None, None, None, dict(tags)
    )


def env(tmp_path: Any, **rotation: Any) -> Env:
    return Env(name="shop", path=tmp_path, config=config(**rotation))
