"""What `rotator sandbox status` shows; the daemon writes it, the command line reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rotator.sandbox.aws import moto_view
from rotator.sandbox.daemon.endpoints import Endpoints
from rotator.sandbox.daemon.home import Home
from rotator.sandbox.interface import Fleet, Login


@dataclass(frozen=True)
class InstanceStatus:
    """One instance: its RDS endpoint name, and where it really listens. `dsn` is for libpq (psql) on this machine.

    The password is not in `dsn`: it names a password file that only its owner can read.
    """

    identifier: str
    endpoint: str
    address: str
    port: int
    dsn: str


@dataclass(frozen=True)
class SandboxStatus:
    """The whole sandbox; `canary` is the write canary's report. Stopped, only pinned addresses are known."""

    endpoint_url: str | None
    region: str
    dns: str | None
    instances: tuple[InstanceStatus, ...] = ()
    running: bool = False
    canary: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One object; the keys are part of the command line's contract."""
        return {
            "endpoint_url": self.endpoint_url,
            "region": self.region,
            "dns": self.dns,
            "instances": [vars(each) for each in self.instances],
            "running": self.running,
            "canary": dict(self.canary),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SandboxStatus:
        """The reverse of to_json."""
        instances = tuple(InstanceStatus(**each) for each in document["instances"])
        return cls(**{**document, "instances": instances})


def stopped(where: Endpoints) -> SandboxStatus:
    """Status of a stopped sandbox, with its pinned addresses."""
    return SandboxStatus(where.url if where.port else None, where.region, where.dns if where.dns_port else None)


def running(where: Endpoints, place: Home, fleet: Fleet, canary: Mapping[str, Any]) -> SandboxStatus:
    """The present status; also updates the password file."""
    servers = moto_view.servers(where.region, fleet)
    _write_passwords(place.passwords, (each.login for each in servers))
    instances = tuple(
        InstanceStatus(
            each.identifier, each.endpoint, each.login.host, each.login.port, _dsn(each.login, place.passwords)
        )
        for each in servers
    )
    return SandboxStatus(where.url, where.region, where.dns, instances, running=True, canary=canary)


def _dsn(login: Login, passwords: Path) -> str:
    tls = f"&sslmode=verify-ca&sslrootcert={quote(login.authority)}" if login.authority else ""
    return (
        f"postgresql://{quote(login.user, safe='')}@{login.host}:{login.port}/{quote(login.database, safe='')}"
        f"?passfile={quote(str(passwords))}{tls}"
    )


def _write_passwords(file: Path, logins: Iterable[Login]) -> None:
    """Libpq's password file (PostgreSQL documentation, "The Password File"): host:port:database:user:password."""
    lines = (
        ":".join(_escaped(part) for part in (each.host, str(each.port), "*", each.user, each.password))
        for each in logins
    )
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("".join(f"{line}\n" for line in lines))
    draft.replace(file)


def _escaped(part: str) -> str:
    return part if part == "*" else part.replace("\\", "\\\\").replace(":", "\\:")
