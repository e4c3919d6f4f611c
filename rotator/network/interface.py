"""What the steps need of the network: how a client of the database would resolve its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CnameAnswer:
    """Where a name leads, without trailing dot and in lower case, and for how many seconds more that may be kept."""

    target: str
    ttl: int


class RecordWatch(Protocol):
    """A look at a name, polled in the background from its making on."""

    def changed(self, wait_seconds: float) -> float | None:
        """The monotonic time at which the name first led to its new target; None when it has not been seen to."""
        ...


class Resolver(Protocol):
    """DNS as clients see it (the system's resolver, or the one that rotation.toml names)."""

    def cname(self, name: str) -> str | None:
        """Target of the CNAME at `name`, without trailing dot; None when there is none."""
        ...

    def answer(self, name: str) -> CnameAnswer | None:
        """The CNAME at `name` with the time to live that the resolver gives it; None when there is none."""
        ...

    def watch(self, name: str, target: str) -> RecordWatch:
        """Begin to look for the moment at which the CNAME at `name` becomes `target`."""
        ...

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4 and IPv6 addresses that `name` leads to, following CNAMEs; empty when there are none."""
        ...
