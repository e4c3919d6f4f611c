"""Answers of the sandbox's DNS server: Route 53's records of the local AWS, and the endpoints of its instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rotator.sandbox.interface import Answer

ENDPOINT_TTL = 5
"""Seconds; RDS's own endpoint names live five seconds."""
LONGEST_CHAIN = 8


@dataclass(frozen=True)
class Entry:
    """One record set: `name` in lower case without trailing dot, as that of its `zone`."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]
    zone: str = ""
    private: bool = False


@dataclass(frozen=True)
class Names:
    """A lookup over functions that return the present state: `entries` and `endpoints` (name -> IPv4 address)."""

    entries: Callable[[], Iterable[Entry]]
    endpoints: Callable[[], Mapping[str, str]]

    def lookup(self, name: str, qtype: str) -> tuple[Answer, ...]:
        """Answers as a recursive resolver gives them: for an address the whole chain of CNAMEs."""
        return tuple(self._chain(plain(name), qtype))

    def _chain(self, name: str, qtype: str) -> Iterator[Answer]:
        entries, endpoints = tuple(self.entries()), self.endpoints()
        for _ in range(LONGEST_CHAIN):
            found = tuple(_answers(name, qtype, entries, endpoints))
            if found or qtype == "CNAME":
                yield from found
                return
            aliases = tuple(_answers(name, "CNAME", entries, endpoints))
            if not aliases:
                return
            yield aliases[0]
            name = plain(aliases[0].value)


def _answers(name: str, kind: str, entries: Iterable[Entry], endpoints: Mapping[str, str]) -> Iterator[Answer]:
    if kind == "A" and name in endpoints:
        yield Answer(name, "A", endpoints[name], ENDPOINT_TTL)
    for entry in _of_its_zone(name, tuple(entries)):
        if (entry.name, entry.kind) == (name, kind):
            for value in entry.values:
                yield Answer(name, kind, value.rstrip(".") if kind in ("CNAME", "NS") else value, entry.ttl)


def _of_its_zone(name: str, entries: tuple[Entry, ...]) -> Iterator[Entry]:
    """As a resolver inside a VPC sees them: a private zone hides public ones, a more specific one the others."""
    zones = {(each.private, len(each.zone), each.zone) for each in entries if _holds(each.zone, name)}
    best = max(zones, default=None)
    yield from (each for each in entries if (each.private, len(each.zone), each.zone) == best)


def _holds(zone: str, name: str) -> bool:
    return not zone or name == zone or name.endswith(f".{zone}")


def plain(name: str) -> str:
    """Lower case, without trailing dot."""
    return name.rstrip(".").lower()
