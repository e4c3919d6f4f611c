"""Opens the env's database servers: one place knows the credentials, the TLS mode and the resolver."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from rotator.database.channel import Channel
from rotator.database.engines import ENGINES, Engine, serving
from rotator.database.interface import DatabaseServer, Target
from rotator.domain.errors import Blocked, DatabaseUnreachable
from rotator.network.interface import Resolver

OwnLogin = Callable[[str], tuple[str, str | None] | None]
"""Host -> user and password of that server alone; None: it has none of its own."""


@dataclass(frozen=True)
class Login:
    """How to log in. `database` is where the tool keeps its marker. Without a password, libpq's own sources hold.

    `engine` is RDS's name of it; None where no instance says: the engine that was there first.
    """

    user: str
    database: str
    password: str | None = field(default=None, repr=False)
    sslmode: str = "verify-full"
    sslrootcert: str | None = None
    link_sslmode: str | None = None
    engine: str | None = None


@dataclass(frozen=True)
class Opener:
    """`at` gives the server at a name. The name is kept for TLS; the address comes from the env's resolver."""

    login: Login
    resolver: Resolver
    pinned: bool = False
    """Whether subscriptions get addresses: the sandbox's servers cannot resolve the instances' names."""
    own_login: OwnLogin | None = None
    """Asked for each host: its own user and password, where they are not those of `login`."""

    def at(self, host: str, port: int, *, address: str | None = None) -> DatabaseServer:
        """Server at `host`. Raises DatabaseUnreachable when the resolver knows no address for it."""
        return self._engine().server(self._target(host, port, address))

    def through(self, name: str, host: str, port: int) -> DatabaseServer:
        """Server at `name`'s address, verified as `host`: a CNAME is in no certificate. Raises DatabaseUnreachable."""
        return self.at(host, port, address=self._address(name))

    def channel(
        self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False
    ) -> Channel:
        """One direction of a rotation's replication, between two (host, port)."""
        return self._engine().channel(rotation_id, self._target(*source), self._target(*target), back, self.pinned)

    def _engine(self) -> Engine:
        name = self.login.engine
        found = serving(name) if name is not None else ENGINES[0]
        if found is None:
            raise Blocked(
                f"The tool cannot connect to {name} yet.",
                why=f"It speaks {', '.join(each.name for each in ENGINES)}.",
                fix='Set [database] access = "none": you stop the writers at a gate, and SQL steps are skipped.',
                code="engine",
            )
        return found

    def _target(self, host: str, port: int, address: str | None = None) -> Target:
        user, password = (self.own_login(host) if self.own_login else None) or (self.login.user, self.login.password)
        return Target(
            host=host,
            port=port,
            user=user,
            database=self.login.database,
            address=address or self._address(host),
            password=password,
            sslmode=self.login.sslmode,
            sslrootcert=self.login.sslrootcert,
            link_sslmode=self.login.link_sslmode,
        )

    def _address(self, host: str) -> str:
        if _is_address(host):
            return host
        found = self.resolver.addresses(host)
        if not found:
            raise DatabaseUnreachable(
                f"the name {host} has no address",
                why="the resolver gives no A or AAAA record for it",
                fix="check the name, and dns.resolver in rotation.toml",
                code="database-name",
            )
        # IPv4 first: hosts without an IPv6 route are the usual case.
        return min(found, key=lambda each: ipaddress.ip_address(each).version)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
