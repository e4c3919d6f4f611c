"""Fakes of the sandbox's own protocols, for tests that need no real server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import DATABASE_PORT


@dataclass
class FakeFleet:
    """Remembers which data every server and snapshot would hold: `data` is a password and a note of its origin."""

    servers: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    parameters: dict[str, Mapping[str, str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    broken: bool = False
    logs: Path = Path("no-such-log")

    def create(
        self,
        identifier: str,
        user: str,
        password: str,
        database: str,
        parameters: Mapping[str, str],
        port: int = DATABASE_PORT,
    ) -> str:
        if self.broken:
            raise SandboxError("no server", why="this fleet is broken")
        if identifier in self.servers:
            raise SandboxError(f"{identifier} exists")
        self.servers[identifier] = f"made as {identifier}/{database}/{user}"
        self.passwords[identifier] = password
        self.parameters[identifier] = parameters
        self.ports[identifier] = port
        return self.addresses()[identifier]

    def snapshot(self, identifier: str, snapshot_id: str) -> None:
        if self.broken:
            raise SandboxError("no snapshot", why="this fleet is broken")
        self.snapshots[snapshot_id] = self.servers[identifier]

    def copy_snapshot(self, source_id: str, target_id: str) -> None:
        self.snapshots[target_id] = self.snapshots[source_id]

    def delete_snapshot(self, snapshot_id: str) -> None:
        self.snapshots.pop(snapshot_id, None)

    def restore(self, snapshot_id: str, identifier: str, parameters: Mapping[str, str]) -> str:
        self.servers[identifier] = self.snapshots[snapshot_id]
        self.parameters[identifier] = parameters
        return self.addresses()[identifier]

    def stop(self, identifier: str) -> None:
        self.stopped.add(identifier)

    def start(self, identifier: str) -> None:
        self.stopped.discard(identifier)

    def reboot(self, identifier: str, parameters: Mapping[str, str]) -> None:
        self.parameters[identifier] = parameters

    def rename(self, identifier: str, new_identifier: str) -> None:
        self.servers[new_identifier] = self.servers.pop(identifier)

    def set_password(self, identifier: str, password: str) -> None:
        self.passwords[identifier] = password

    def delete(self, identifier: str) -> None:
        self.servers.pop(identifier, None)

    def refusal(self, name: str, value: str) -> str | None:
        return "never" if "command" in name else None

    def addresses(self) -> Mapping[str, str]:
        return {identifier: f"127.0.9.{number}" for number, identifier in enumerate(self.servers, 1)}

    def log(self, identifier: str) -> Path:
        return self.logs

    def version(self) -> str:
        return "15.10"

    def close(self) -> None:
        self.servers.clear()


@dataclass
class FakeClock:
    """A clock that stands still until it is told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
