"""Database servers in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_world import Data, World

from rotator.database.protection import Encryption
from rotator.domain.database import CounterState, EndedClients, FenceState, Finding, Table, TableDigest, WriteStats
from rotator.domain.errors import DatabaseError


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

    def preflight_replicate(self, rotation_id: str, *, strengthen: bool, headroom: int) -> tuple[Finding, ...]:
        return self.world.against_replicate

    def schema(self) -> Mapping[str, str]:
        return dict(self.data.schema)

    def tables(self) -> tuple[Table, ...]:
        return (Table("shop", "public", "item", len(self.data.rows), 8192),)

    def checksum(self, table: Table, progress: Callable[[float, str], None]) -> TableDigest:
        progress(1.0, "")
        return TableDigest(len(self.data.rows), "|".join(sorted(self.data.rows)))

    def counters(self) -> Mapping[str, CounterState]:
        return {name: CounterState(value, True) for name, value in self.data.sequences.items()}

    def raise_counters(self, positions: Mapping[str, CounterState]) -> tuple[str, ...]:
        behind = {
            n: s.last_value for n, s in positions.items() if self.data.sequences.get(n, s.last_value) < s.last_value
        }
        self.data.sequences.update(behind)
        return tuple(behind)

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

        self.world.effect("unfence", do)

    def mark(self, role: str) -> None:
        self.data.role = role

    def probe(self, token: str) -> tuple[str | None, bool]:
        accepted = self.data.fenced_by is None
        if accepted:
            self.data.probes.append(token)
        return self.data.role, accepted

    def has_probe(self, token: str) -> bool:
        return token in self.data.probes

    def end_clients(self) -> EndedClients:
        return EndedClients(0, self.data.clinging)

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

    def speaks(self, engine: str) -> bool:
        return engine == "postgres"

    def doubts(self, authority: str | None) -> tuple[str, ...]:
        return ()

    def through(self, name: str, host: str, port: int) -> FakeServer:
        """Where the name leads, whatever `host` is: as with a mode that does not verify names."""
        return FakeServer(self.world, self.world.record.values[0].split(".")[0])

    def channel(self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False) -> Any:
        names = [host.split(".")[0] for host, _ in (source, target)]
        return self.world.replication.channel(self.world, rotation_id, names[0], names[1], back)
