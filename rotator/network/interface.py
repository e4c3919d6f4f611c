"""What the steps need of the network: how a client of the database would resolve its name."""

from __future__ import annotations

from typing import Protocol


class Resolver(Protocol):
    """DNS as clients see it (the system's resolver, or the one that rotation.toml names)."""

    def cname(self, name: str) -> str | None:
        """Target of the CNAME at `name`, without trailing dot; None when there is none."""
        ...

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4 and IPv6 addresses that `name` leads to, following CNAMEs; empty when there are none."""
        ...
