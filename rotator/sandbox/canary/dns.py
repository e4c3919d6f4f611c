"""Name resolution as a well-behaved client does it: every record is kept for exactly its TTL."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rotator.network.resolver import Link

LONGEST_CHAIN = 8


class Resolves(Protocol):
    """What is needed of a resolver: rotator.network.resolver.ClientResolver."""

    def links(self, name: str) -> tuple[Link, ...]: ...


@dataclass(frozen=True)
class _Kept:
    link: Link
    until: float


class CachingResolver:
    """One client's cache in front of a resolver. As in a caching name server, each record has its own TTL."""

    def __init__(self, resolver: Resolves, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolver = resolver
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def address(self, name: str) -> str | None:
        """The address that `name` leads to; None when it leads nowhere. Raises what the resolver raises."""
        owner = name.rstrip(".").lower()
        for _ in range(LONGEST_CHAIN):
            link = self._link(owner)
            if link is None:
                return None
            if link.kind != "CNAME":
                return link.value
            owner = link.value
        return None

    def _link(self, owner: str) -> Link | None:
        kept = self._kept.get(owner)
        if kept is not None and self._clock() < kept.until:
            return kept.link
        self._kept.pop(owner, None)
        now = self._clock()
        for link in self._resolver.links(owner):
            # what is still valid stays: a chain's later records do not shorten the life of ours
            known = self._kept.get(link.owner)
            if known is None or now >= known.until:
                self._kept[link.owner] = _Kept(link, now + link.ttl)
        fresh = self._kept.get(owner)
        return fresh.link if fresh is not None else None
