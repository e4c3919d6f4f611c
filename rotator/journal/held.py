"""A lease in a bucket: how a run takes it, keeps it and gives it back. The decisions are in lease.py."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Protocol

from rotator.domain.errors import AwsError, Blocked, LockedError
from rotator.domain.objects import ObjectChanged, Objects, Tag
from rotator.journal.lease import BEATS, LOOKS, Lease, Owner, Seen, read_lease, released, renewed, taken, trusted_until


class Clock(Protocol):
    """A machine's own time."""

    def uptime(self) -> float:
        """Seconds that only ever grow, while the machine sleeps too."""
        ...

    def wait(self, seconds: float) -> None:
        """Pass them."""
        ...


class LeaseLost(LockedError):
    """Another run may hold the env by now."""

    code = "lease-lost"

    def __init__(self, place: str, why: str) -> None:
        super().__init__(
            f"The lease {place} is lost: this run stops before its next change.",
            why=why,
            fix="What was done until here is in the journal. Look who works on the env (rotator status). If nobody "
            "does, run the same command again.",
        )


class Held:
    """A lease that this run holds. One thread may renew it while another asks.

    `place` is for messages.
    """

    def __init__(
        self, objects: Objects, key: str, lease: Lease, tag: Tag, sent: float, clock: Clock, place: str
    ) -> None:
        self._objects, self._key, self._clock, self._place = objects, key, clock, place
        self._lease, self._tag = lease, tag
        self._until = trusted_until(sent, lease.ttl)
        self._lost = ""
        self._trouble = ""
        self._alone = threading.RLock()

    @property
    def token(self) -> int:
        """Higher than that of every holder before."""
        return self._lease.token

    def check(self) -> None:
        """Raise LeaseLost when somebody else may have the lease by now."""
        if not self._lost and self._clock.uptime() > self._until:
            trouble = f" ({self._trouble})" if self._trouble else ": this machine or process stood still"
            self._lost = f"It could not be renewed for {self._lease.ttl:.0f} s{trouble}."
        if self._lost:
            raise LeaseLost(self._place, self._lost)

    def renew(self) -> None:
        """One beat. Raises LeaseLost when it is another run's, AwsError when the bucket does not answer."""
        with self._alone:
            self.check()
            sent, beat = self._clock.uptime(), renewed(self._lease, _nonce())
            try:
                tag = self._objects.put(self._key, beat.to_bytes(), self._tag)
            except ObjectChanged:
                self._follow_own()
                return
            self._lease, self._tag, self._until = beat, tag, trusted_until(sent, beat.ttl)

    def keep(self, ended: threading.Event) -> None:
        """Renew it until `ended` is set, or it is lost: for a thread of its own."""
        while not ended.wait(self._lease.ttl / BEATS):
            try:
                self.renew()
            except LeaseLost:
                return
            except AwsError as fault:
                self._trouble = f"{fault.what} {fault.why}"

    def give_back(self) -> None:
        """Let the next run begin at once; where that fails, it waits for the time to live."""
        with self._alone:
            if self._lost:
                return
            try:
                self._tag = self._objects.put(self._key, released(self._lease, _nonce()).to_bytes(), self._tag)
            except (ObjectChanged, AwsError):
                return  # the time to live ends it
            self._lost = "It was given back."

    def _follow_own(self) -> None:
        """Another write is there: an earlier beat of this run's, whose answer never came, or somebody else's."""
        found = self._objects.get(self._key)
        try:
            lease = read_lease(found.data) if found else None
        except ValueError:
            lease = None
        if found is None or lease is None or lease.owner is None or lease.token != self._lease.token:
            who = lease.owner.words if lease and lease.owner else "somebody (rotator unlock)"
            self._lost = f"It was taken over by {who}."
            raise LeaseLost(self._place, self._lost)
        self._lease, self._tag = lease, found.tag
        self.renew()


def take(
    objects: Objects, key: str, owner: Owner, ttl: float, clock: Clock, place: str, on_wait: Callable[[str], None]
) -> Held:
    """Take the lease at `key`. Raises LockedError that names the holder as soon as it is seen to be at work.

    One that does not move is taken over after its time to live; `on_wait` is told meanwhile.
    """
    seen, told = _look(objects, key, None, clock, place), False
    while True:
        if seen.is_free(clock.uptime()):
            sent, mine = clock.uptime(), taken(seen.lease, owner, ttl, _nonce())
            try:
                tag = objects.put(key, mine.to_bytes(), seen.tag)
            except ObjectChanged:
                seen = _look(objects, key, None, clock, place)
                continue
            return Held(objects, key, mine, tag, sent, clock, place)
        held = seen.lease
        if held is None or held.owner is None:
            raise ValueError("a lease that nobody holds is free")
        if not told:
            on_wait(f"{place} is held by {held.owner.words}: up to {held.ttl:.0f} s to see whether that run is alive")
            told = True
        clock.wait(held.ttl / LOOKS)
        before, seen = seen, _look(objects, key, seen, clock, place)
        if seen.tag != before.tag and seen.lease is not None and seen.lease.owner is not None:
            raise LockedError(
                f"Another rotator works on {place}.",
                why=f"Held by {seen.lease.owner.words}; it is alive.",
                fix="Wait until it ends, or look at it with: rotator status",
            )


def _look(objects: Objects, key: str, before: Seen | None, clock: Clock, place: str) -> Seen:
    found = objects.get(key)
    now = clock.uptime()  # after the answer: a write is seen for less long than it is there, never for longer
    try:
        tag, lease = (found.tag, read_lease(found.data)) if found else (None, None)
    except ValueError as fault:
        raise Blocked(
            f"The lease {place} cannot be read.",
            why=f"{fault}. Whoever works on the env cannot be told from it.",
            fix="Make sure that no rotator works on the env, then delete the object.",
            code="lease-damaged",
        ) from None
    return before.looked(tag, lease, now) if before else Seen(tag, lease, now)


def _nonce() -> str:
    return secrets.token_hex(16)
