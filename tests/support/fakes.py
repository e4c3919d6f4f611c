"""An AWS, a Terraform and a database in memory, behind the project's own interfaces. Each side effect counts as one
step of a crash counter, so that a test can kill a rotation at any of them, before or after it took effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.aws.logs import LogFile
from rotator.aws.uses import Grant, LastUse
from rotator.config.schema import Env, EnvConfig
from rotator.database.protection import Encryption
from rotator.domain.aws import AutomatedBackup, Caller, Instance, Key, Quota, Record, Snapshot
from rotator.domain.database import FenceState, Finding, SequenceState, Table, TableDigest, WriteStats
from rotator.domain.errors import AwsError, Blocked, DatabaseError
from rotator.domain.root import Imports, RootData, Stage
from rotator.network.interface import CnameAnswer
from rotator.terraform.expected import GATE, expected
from rotator.terraform.expected import database as database_at
from rotator.terraform.expected import key as key_at

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


def instance(identifier: str, key: str | None, tags: Mapping[str, str], settings: Mapping[str, Any]) -> Instance:
    raw: dict[str, Any] = {"DBInstanceIdentifier": identifier, "Engine": "postgres", **settings}
    if settings.get("manage_master_user_password"):
        raw["MasterUserSecret"] = {"SecretArn": managed_secret(identifier), "SecretStatus": "active", "KmsKeyId": None}
    return Instance(
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

    def shut(self, rotation_id: str) -> None:
        """One that has been open shows it: the fence is another one."""
        self.touched += self.fenced_by is None or self.leased
        self.fenced_by, self.leased = self.fenced_by or rotation_id, False

    def copy(self) -> Data:
        return deepcopy(self)


@dataclass
class World:
    """The cloud. `kill_at` counts side effects down; at zero the process dies, `after` the effect or before it."""

    instances: dict[str, Instance] = field(default_factory=dict)
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


@dataclass
class FakeClock:
    world: World
    waited: float = 0.0

    def now(self) -> datetime:
        self.world.time += timedelta(milliseconds=1)
        return self.world.time

    def monotonic(self) -> float:
        return self.world.time.timestamp()

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.world.time += timedelta(seconds=seconds)


@dataclass
class FakeRds:
    world: World

    def instance(self, identifier: str) -> Instance | None:
        return self.world.instances.get(identifier)

    def instances(self) -> tuple[Instance, ...]:
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


def make_snapshot(identifier: str, instance_name: str, key: str | None, tags: Mapping[str, str]) -> Snapshot:
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:{identifier}"
    return Snapshot(
        identifier, arn, instance_name, None, "creating", 0, "manual", key, key is not None, None, None, dict(tags)
    )


@dataclass
class FakeKms:
    world: World

    def key(self, key: str) -> Key | None:
        for found in self.world.keys.values():
            if key in (found.arn, found.key_id, *found.aliases):
                return found
        return None


@dataclass
class FakeKeyUses:
    """Uses of any key; `denied` names what the identity may not look at."""

    world: World
    denied: tuple[str, ...] = ()

    def grants(self, key_arn: str) -> tuple[Grant, ...]:
        self._allowed("kms:ListGrants")
        return tuple(self.world.grants) if key_arn == OLD_KEY else ()

    def aliases(self, key_arn: str) -> tuple[str, ...]:
        return self.world.keys[key_arn].aliases

    def key_of_secret(self, secret_id: str) -> str | None:
        return self.world.secret_keys.get(secret_id)

    def log_groups(self, key_arn: str) -> tuple[str, ...]:
        self._allowed("logs:DescribeLogGroups")
        return tuple(name for name, key in self.world.log_groups.items() if key == key_arn)

    def last_use(self, key_arn: str) -> LastUse | None:
        return self.world.last_use

    def _allowed(self, action: str) -> None:
        if action in self.denied:
            raise AwsError(f"AWS does not allow {action}.", fix=f"Allow {action}.", code="aws-access-denied")


@dataclass
class FakeDns:
    world: World

    def zone_id(self, zone: str, *, private: bool) -> str | None:
        return "Z1" if zone == "example.internal" else None

    def record(self, zone_id: str, name: str) -> Record | None:
        found = (each for each in self._all() if (each.zone_id, each.name) == (zone_id, name))
        return next(found, None)

    def _all(self) -> tuple[Record, ...]:
        return (self.world.record, *self.world.others)

    def holders(self, name: str) -> tuple[Record, ...]:
        if "holders" in self.world.fail:
            raise self.world.fail["holders"]
        return tuple(each for each in self._all() if each.name == name)

    def records_at(self, target: str) -> tuple[Record, ...]:
        if "list_zones" in self.world.fail:
            raise self.world.fail["list_zones"]
        return tuple(each for each in self._all() if target.lower() in " ".join(each.values).lower().split())


@dataclass
class FakeIdentity:
    def caller(self) -> Caller:
        return Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester", REGION)


@dataclass
class FakeResolver:
    world: World

    def cname(self, name: str) -> str | None:
        found = self.answer(name)
        return found.target if found is not None else None

    def answer(self, name: str) -> CnameAnswer | None:
        """What the world's `resolves` says of the name, or else Route 53 itself."""
        if name in self.world.resolves:
            said = self.world.resolves[name]
            if isinstance(said, Exception):
                raise said
            return said
        all_ = (self.world.record, *self.world.others)
        found = next((each for each in all_ if each.name == name and each.kind == "CNAME"), None)
        return CnameAnswer(found.values[0].lower(), found.ttl or 0) if found is not None else None

    def addresses(self, name: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    def watch(self, name: str, target: str) -> FakeWatch:
        return FakeWatch(self.world)


@dataclass
class FakeWatch:
    world: World

    def changed(self, wait_seconds: float) -> float | None:
        return self.world.time.timestamp() + 0.3


@dataclass
class FakeServer:
    world: World
    name: str

    @property
    def data(self) -> Data:
        return self.world.data[self.name]

    def ping(self) -> str:
        return "15.10"

    def encryption(self) -> Encryption:
        return Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", "authority and name verified")

    def preflight(self) -> tuple[Finding, ...]:
        return ()

    def preflight_replicate(self, rotation_id: str, *, allow_full: bool, headroom: int) -> tuple[Finding, ...]:
        return self.world.against_replicate

    def schema(self) -> Mapping[str, str]:
        return dict(self.data.schema)

    def tables(self) -> tuple[Table, ...]:
        return (Table("shop", "public", "item", len(self.data.rows), 8192),)

    def checksum(self, table: Table, progress: Callable[[float, str], None]) -> TableDigest:
        progress(1.0, "")
        return TableDigest(len(self.data.rows), "|".join(sorted(self.data.rows)))

    def sequences(self) -> Mapping[str, SequenceState]:
        return {name: SequenceState(value, True) for name, value in self.data.sequences.items()}

    def advance_sequences(self, positions: Mapping[str, SequenceState]) -> tuple[str, ...]:
        self.data.sequences = {name: state.last_value for name, state in positions.items()}
        return tuple(positions)

    def static_settings(self) -> Mapping[str, tuple[str, bool]]:
        return dict(self.data.running)

    def extensions(self) -> Mapping[str, str]:
        return {"shop.plpgsql": "1.0"}

    def fence(self, rotation_id: str, budget_seconds: float) -> FenceState:
        def do() -> None:
            self.world.shuts(self.name)
            self.data.shut(rotation_id)
            self.data.fenced_by = self.data.lineage = rotation_id

        self.world.effect("fence", do)
        return self.fence_state()

    def fence_state(self) -> FenceState:
        on = self.data.fenced_by is not None
        name = self.data.fenced_by if on else self.data.lineage
        return FenceState(on, name, 1 if on else 0, leased=on and self.data.leased)

    def unfence(self, *, busy: bool = False) -> None:
        def do() -> None:
            self.data.fenced_by, self.data.leased = None, False

        self.world.effect("lift_fence", do)

    def mark(self, role: str) -> None:
        self.data.role = role

    def probe(self, token: str) -> tuple[str | None, bool]:
        accepted = self.data.fenced_by is None
        if accepted:
            self.data.probes.append(token)
        return self.data.role, accepted

    def has_probe(self, token: str) -> bool:
        return token in self.data.probes

    def end_clients(self) -> int:
        return 0

    def write_stats(self) -> WriteStats:
        return WriteStats(0, 0, 0, ())

    def forget(self, *, waits: int = 1) -> None:
        if self.data.held > 0:
            self.data.held -= 1
            raise DatabaseError("idle", details=("shop.public.item",), code="fence-leftovers")
        self.data.role = self.data.lineage = self.data.fenced_by = None


@dataclass
class FakeDatabases:
    world: World

    def at(self, host: str, port: int, *, address: str | None = None) -> FakeServer:
        return FakeServer(self.world, host.split(".", maxsplit=1)[0])

    def doubts(self, authority: str | None) -> tuple[str, ...]:
        return ()

    def through(self, name: str, host: str, port: int) -> FakeServer:
        """Where the name leads, whatever `host` is: as with a mode that does not verify names."""
        return FakeServer(self.world, self.world.record.values[0].split(".")[0])

    def channel(self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False) -> Any:
        names = [host.split(".")[0] for host, _ in (source, target)]
        return self.world.replication.channel(self.world, rotation_id, names[0], names[1], back)


@dataclass
class FakeStages:
    """Terraform: makes the world what the data says, one resource after another, each a side effect."""

    world: World
    gate_asked: int = 0

    @property
    def runs(self) -> tuple[tuple[str, float], ...]:
        return ()

    def version(self) -> str:
        return "1.11.4"

    def review(self, start: RootData, *, adopted: bool, midway: bool) -> tuple[str, ...]:
        return ()

    def differing(self) -> tuple[str, ...]:
        return self.world.unlike

    def state_addresses(self) -> frozenset[str]:
        return frozenset(self.world.state)

    def untaint(self, address: str) -> None:
        assert address in self.world.state

    def forget(self, address: str) -> None:
        if address in self.world.state:
            self.world.effect("forget", lambda: self.world.state.discard(address))

    def settle(self) -> None:
        """An apply that outlived its driver ends, and takes effect."""
        if self.world.orphan is not None:
            orphan, self.world.orphan = self.world.orphan, None
            orphan()
            self.world.check()

    def check_clean(self) -> None:
        """Every address of the state has its thing."""
        there = {f"{each.zone_id}/{each.name}" for each in (self.world.record, *self.world.others)}
        if any(".also[" in name and name.split('"')[1] not in there for name in self.world.state):
            raise Blocked("the plan would put back a record", code="plan-not-clean")

    def _refuse_drift(self, stage: Stage, before: RootData, after: RootData) -> None:
        """As the firewall: what the state and the data hold of further records must be there as it is known, and what
        is imported must be part of the stage.
        """
        allowed = {item.address for item in expected(stage, before, after) if item.importing}
        imported = {*map(database_at, after.imports.databases), *map(key_at, after.imports.keys)}
        if imported - allowed:
            raise Blocked(f"stage {stage} does not import {sorted(imported - allowed)}", code="plan-firewall")
        database = before.generations[before.serving].database
        serving = self.world.instances.get(database.identifier) if database is not None else None
        address = str(serving.address).lower() if serving is not None else ""
        flips = stage in (Stage.CUTOVER, Stage.ROLLBACK_CUTOVER)
        held = {name.split('"')[1] for name in self.world.state if ".also[" in name} - set(after.imports.also)
        there = {
            f"{each.zone_id}/{each.name}": each.values[0].lower() for each in (self.world.record, *self.world.others)
        }
        for each in after.also:
            if each.key in held and (each.key not in there or (there[each.key] != address and not flips)):
                raise Blocked(f"the plan would put back {each.key}", code="plan-firewall")
        if held - {each.key for each in after.also}:
            raise Blocked("the plan would delete a record", code="plan-firewall")

    def apply(
        self,
        stage: Stage,
        before: RootData,
        after: RootData,
        write: Callable[[RootData], None],
        progress: Callable[[float | None, str], None],
    ) -> bool:
        self._refuse_drift(stage, before, after)
        write(after)
        self.settle()  # Terraform's lock
        self._progress = progress
        self._converge(after)
        self.world.applied.append(stage)
        return True

    def _progress(self, fraction: float | None, text: str) -> None:
        """Of the apply that is at work."""

    def apply_through_gate(
        self,
        stage: Stage,
        before: RootData,
        after: RootData,
        write: Callable[[RootData], None],
        progress: Callable[[float | None, str], None],
        decide: Callable[[], bool],
    ) -> bool:
        self._refuse_drift(stage, before, after)
        after = replace(after, gate="/run/gate")
        write(after)
        self.settle()
        self.gate_asked += 1
        try:
            go = decide()
        except Exception:
            write(before)
            raise
        assert go
        self.world.past_gate = True
        self._converge(after)
        self.world.past_gate = False
        self.world.applied.append(stage)
        return True

    def _converge(self, data: RootData) -> None:
        world = self.world
        if data.imports != Imports():
            for name in data.imports.databases:
                world.state.add(f'module.database["{name}"].aws_db_instance.this')
            for name in data.imports.keys:
                world.state.add(f'module.key["{name}"].aws_kms_alias.this[0]')
            world.state.add("module.endpoint.aws_route53_record.this")
            for key in data.imports.also:
                world.state.add(f'module.endpoint.aws_route53_record.also["{key}"]')
        for name, generation in data.generations.items():
            if generation.key is not None:
                self._key(name, generation.key)
            if generation.database is not None:
                self._database(name, generation.database)
        if data.gate is None and GATE in world.state:
            world.effect("ungate", lambda: world.state.discard(GATE))
        elif data.gate is not None:
            world.state.add(GATE)
        self._record(data)
        self._remove(data)

    def _key(self, name: str, spec: Any) -> None:
        address = f'module.key["{name}"].aws_kms_alias.this[0]'
        arn = OLD_KEY if name == "g0" else f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"
        if address not in self.world.state:

            def make() -> None:
                self.world.keys[arn] = Key(
                    name, arn, "Enabled", "CUSTOMER", "", False, (spec.alias,), "{}", True, 365, None, spec.tags
                )

            self.world.effect("create_key", make)
            self.world.effect("state", lambda: self.world.state.add(address))
        found = self.world.keys.get(arn)
        if found is None or found.state == "PendingDeletion":
            raise Blocked("the plan would make the key anew", code="plan-firewall")
        wanted = "Enabled" if spec.is_enabled else "Disabled"
        if found.state != wanted:
            self.world.effect("enable", lambda: self.world.keys.update({arn: replace(found, state=wanted)}))

    def _database(self, name: str, spec: Any) -> None:
        address = f'module.database["{name}"].aws_db_instance.this'
        if address in self.world.state:
            return

        def make() -> None:
            snapshot = self.world.snapshots[spec.snapshot_identifier]
            made = instance(spec.identifier, snapshot.kms_key_arn, dict(spec.tags), dict(spec.settings))
            self.world.instances[spec.identifier] = made
            data = self.world.snapshot_data[spec.snapshot_identifier].copy()
            self.world.data[spec.identifier] = replace(data, running=self.world.started or data.running)

        if spec.identifier not in self.world.instances:
            self.world.effect("restore", make)
            self.world.time += timedelta(seconds=10)
            self._progress(None, "still creating")
        self.world.effect("state", lambda: self.world.state.add(address))

    def _record(self, data: RootData) -> None:
        database = data.generations[data.serving].database
        assert database is not None
        address = str(self.world.instances[database.identifier].address)
        for spec in data.names:
            self._other(spec, address)
            main = self.world.record
            wanted = replace(main, **_spelled(spec, address), ttl=spec.ttl)
            if (main.zone_id, main.name) == (spec.zone_id, spec.name) and wanted != main:
                self.world.effect("record", lambda w=wanted: setattr(self.world, "record", w))

    def _other(self, spec: Any, address: str) -> None:
        for number, found in enumerate(self.world.others):
            if (found.zone_id, found.name) == (spec.zone_id, spec.name):
                wanted = replace(found, **_spelled(spec, address), ttl=spec.ttl)
                if wanted != found:
                    self.world.effect("record", lambda n=number, w=wanted: self.world.others.__setitem__(n, w))

    def _remove(self, data: RootData) -> None:
        for address in sorted(self.world.state):
            if not address.startswith("module.database") and not address.startswith("module.key"):
                continue
            name = address.split('"')[1]
            generation = data.generations.get(name)
            if address.startswith("module.database") and (generation is None or generation.database is None):
                identifier = BLUE if name == "g0" else f"{BLUE}-{name}"
                self.world.effect("delete_instance", lambda i=identifier: self.world.instances.pop(i, None))
                self.world.state.discard(address)
            if address.startswith("module.key") and (generation is None or generation.key is None):
                arn = OLD_KEY if name == "g0" else f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"
                if arn in self.world.keys:
                    found = replace(self.world.keys[arn], state="PendingDeletion")
                    self.world.effect("schedule", lambda a=arn, k=found: self.world.keys.update({a: k}))
                self.world.state.discard(address)


def _spelled(spec: Any, address: str) -> dict[str, Any]:
    names_it = spec.spelling is not None and spec.spelling.removesuffix(".").lower() == address.lower()
    written = spec.spelling if names_it else address
    return {"values": (written.removesuffix("."),), "written": (written,)}


@dataclass
class RecordingReporter:
    lines: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, rotation_id: str, steps: tuple[Any, ...]) -> None:
        self.lines.append(("begin", rotation_id))

    def start(self, step: str) -> None:
        self.lines.append(("start", step))

    def progress(self, step: str, fraction: float | None, detail: str) -> None:
        self.lines.append(("progress", step))

    def done(self, step: str, result: str, seconds: float, waited_seconds: float) -> None:
        self.lines.append(("done", step))

    def skipped(self, step: str, reason: str) -> None:
        self.lines.append(("skipped", step))

    def failed(self, step: str, message: str) -> None:
        self.lines.append(("failed", step))

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def close(self) -> None:
        self.lines.append(("close", ""))

    def said(self, kind: str) -> list[str]:
        return [text for said, text in self.lines if said == kind]


def env(tmp_path: Any, **rotation: Any) -> Env:
    return Env(name="shop", path=tmp_path, config=config(**rotation))
