"""The lease on an env whose journal is in a bucket: one run at a time, on whatever machine. Decisions only; no I/O.

The lease is one object, never deleted. Who takes it writes a token, one higher than any before; who holds it writes a
beat now and then. Nobody trusts another machine's clock: a contender takes the lease over only when it has seen the
same write for longer than the time to live, on its own clock; the holder distrusts itself a quarter earlier, counted
from before its last successful renewal was sent.

So a holder that stands still (a paused process, a suspended laptop) has lost the lease by its own account before
anybody can have taken it. What it has sent by then may still land: names come from the rotation, steps look before they
act, and what cannot be undone renews the lease right before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from rotator.domain.objects import Tag

TRUST = 0.75
"""The part of the time to live for which a holder trusts its last renewal."""
BEATS = 6
"""Renewals in one time to live."""
LOOKS = 12
"""Looks of a contender in one time to live."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lease, for people. `place` is USER@HOST, `since` in ISO 8601 by that machine's clock, `run` the page
    of a CI job.
    """

    verb: str
    place: str
    pid: int
    since: str
    run: str = ""

    @property
    def words(self) -> str:
        """For messages."""
        page = f", {self.run}" if self.run else ""
        return f"{self.verb}, {self.place}, pid {self.pid}, since {self.since}{page}"


@dataclass(frozen=True)
class Lease:
    """What the object says. `owner` None: nobody holds it. `ttl` in seconds; `nonce` makes each write another one."""

    token: int
    owner: Owner | None
    beat: int
    ttl: float
    nonce: str

    def to_bytes(self) -> bytes:
        """As the object holds it."""
        return json.dumps(asdict(self)).encode()


def read_lease(data: bytes) -> Lease:
    """What an object says. Raises ValueError when it is no lease."""
    try:
        found: dict[str, Any] = json.loads(data)
        owner = found["owner"]
        return Lease(
            int(found["token"]),
            Owner(**owner) if owner is not None else None,
            int(found["beat"]),
            float(found["ttl"]),
            str(found["nonce"]),
        )
    except (LookupError, TypeError) as fault:
        raise ValueError(f"it is no lease: {fault}") from None


@dataclass(frozen=True)
class Seen:
    """A write of the lease, and since when a contender has seen it: its own clock, in seconds."""

    tag: Tag | None
    lease: Lease | None
    since: float

    def looked(self, tag: Tag | None, lease: Lease | None, now: float) -> Seen:
        """After another look."""
        return self if tag == self.tag else Seen(tag, lease, now)

    def is_free(self, now: float) -> bool:
        """Whether it may be taken: nobody has it, or its holder has not moved for its whole time to live."""
        if self.lease is None or self.lease.owner is None:
            return True
        return now - self.since > self.lease.ttl


def taken(before: Lease | None, owner: Owner, ttl: float, nonce: str) -> Lease:
    """The lease of somebody who takes it."""
    return Lease((before.token if before else 0) + 1, owner, 0, ttl, nonce)


def renewed(lease: Lease, nonce: str) -> Lease:
    """One beat later."""
    return replace(lease, beat=lease.beat + 1, nonce=nonce)


def released(lease: Lease, nonce: str) -> Lease:
    """Given back; the token stays, so that the next one is higher."""
    return replace(lease, owner=None, nonce=nonce)


def trusted_until(sent: float, ttl: float) -> float:
    """Up to when a holder may act on a renewal that it sent at that time, by its own clock."""
    return sent + TRUST * ttl
