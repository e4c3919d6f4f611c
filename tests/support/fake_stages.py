"""Terraform in memory: what each stage does to the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from fake_world import ACCOUNT, BLUE, OLD_KEY, REGION, World, instance

from rotator.domain.addresses import GATE
from rotator.domain.addresses import database as database_at
from rotator.domain.addresses import key as key_at
from rotator.domain.aws import Key
from rotator.domain.errors import Blocked
from rotator.domain.root import Imports, RootData, Stage
from rotator.terraform.expected import expected


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
            found = self.world.instances.get(spec.identifier)
            if found is not None and found.deletion_protection and not spec.deletion_protection:
                freed = replace(found, deletion_protection=False)
                self.world.effect("unprotect", lambda: self.world.instances.update({spec.identifier: freed}))
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
