"""The lease of a journal in a bucket: never two who may act, whatever stands still, dies or is lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from fake_objects import MemoryObjects, Shared
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.errors import AwsUnreachable, Blocked, LockedError
from rotator.domain.objects import ObjectChanged
from rotator.journal.held import Held, LeaseLost, take
from rotator.journal.lease import Lease, Owner, Seen, read_lease, released, renewed, taken, trusted_until

TTL, KEY, PLACE = 12.0, "env/lease.json", "s3://team/env/lease.json"


@dataclass
class Time:
    """A machine's clock that a test moves; `during` happens in each wait."""

    now: float = 100.0
    during: Callable[[], None] = lambda: None
    waits: list[float] = field(default_factory=list)

    def uptime(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.during()


def owner(name: str = "ann") -> Owner:
    return Owner("rotate", f"{name}@laptop", 7, "2026-11-27T10:00:00+00:00")


def bucket(time: Time) -> Shared:
    return Shared(time.uptime)


def taking(shared: Shared, time: Time, name: str = "ann", lose: Callable[[], str] = lambda: "") -> Held:
    return take(MemoryObjects(shared, lose=lose), KEY, owner(name), TTL, time, PLACE, lambda text: None)


def test_a_free_lease_is_had_at_once_and_given_back() -> None:
    time = Time()
    shared = bucket(time)
    first = taking(shared, time)
    assert first.token == 1
    first.give_back()
    second = taking(shared, time, "bob")
    assert (second.token, time.waits) == (2, [])
    with pytest.raises(LeaseLost):
        first.check()


def test_a_holder_that_is_alive_is_named_as_soon_as_it_moves() -> None:
    time = Time()
    shared = bucket(time)
    first = taking(shared, time)
    time.during = first.renew
    with pytest.raises(LockedError, match="Another rotator works on") as refused:
        taking(shared, time, "bob")
    assert "rotate, ann@laptop, pid 7, since 2026-11-27T10:00:00+00:00" in refused.value.why
    assert refused.value.exit_code == 40
    assert len(time.waits) == 1
    first.check()


def test_a_dead_holder_is_waited_for_and_taken_over() -> None:
    time, said = Time(), list[str]()
    shared = bucket(time)
    first = taking(shared, time)
    begun = time.now
    second = take(MemoryObjects(shared), KEY, owner("bob"), TTL, time, PLACE, said.append)
    assert TTL < time.now - begun < TTL * 1.2
    assert second.token == 2
    assert all("ann@laptop" in line for line in said)
    with pytest.raises(LeaseLost, match="lease"):
        first.renew()


def test_a_holder_distrusts_itself_before_anybody_may_take_over() -> None:
    time = Time()
    first = taking(bucket(time), time)
    time.now += TTL * 0.7
    first.check()
    time.now += TTL * 0.06
    with pytest.raises(LeaseLost) as lost:
        first.check()
    assert "stood still" in lost.value.why
    with pytest.raises(LeaseLost):
        first.renew()


def test_what_the_bucket_said_is_in_the_reason() -> None:
    time = Time()
    first = taking(bucket(time), time, lose=lambda: "before" if time.now > 100.0 else "")
    time.now += 1
    ended = threading.Event()
    waits = iter([False, True])
    ended.wait = lambda timeout=None: next(waits)  # type: ignore[method-assign,assignment]
    first.keep(ended)
    time.now += TTL
    with pytest.raises(LeaseLost) as lost:
        first.check()
    assert "reset before it took effect" in lost.value.why


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_beat_whose_answer_is_lost_is_made_up_for(lost: str) -> None:
    time = Time()
    fates = iter(["", lost, "", ""])
    first = taking(bucket(time), time, lose=lambda: next(fates))
    time.now += 2
    with pytest.raises(AwsUnreachable):
        first.renew()
    time.now += 2
    first.renew()
    time.now += TTL * 0.7
    first.check()


def test_an_unlocked_lease_is_lost() -> None:
    time = Time()
    shared = bucket(time)
    first = taking(shared, time)
    objects = MemoryObjects(shared)
    found = objects.get(KEY)
    assert found is not None
    objects.put(KEY, released(read_lease(found.data), "x").to_bytes(), found.tag)
    with pytest.raises(LeaseLost, match="lease") as lost:
        first.renew()
    assert "unlock" in lost.value.why


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"token": 1}', b"\xff"])
def test_what_is_no_lease_is_not_written_over(data: bytes) -> None:
    time = Time()
    shared = bucket(time)
    MemoryObjects(shared).put(KEY, data, None)
    with pytest.raises(Blocked) as refused:
        taking(shared, time)
    assert refused.value.code == "lease-damaged"


def test_it_is_read_as_it_was_written() -> None:
    lease = renewed(taken(None, owner(), TTL, "n"), "m")
    assert read_lease(lease.to_bytes()) == lease
    assert read_lease(released(lease, "o").to_bytes()).owner is None


class Runner:
    """One contender as a machine of single steps, which a test may interrupt anywhere; its clock has an offset."""

    def __init__(self, name: str, shared: Shared, offset: float) -> None:
        self.name, self.objects, self.offset = name, MemoryObjects(shared), offset
        self.seen: Seen | None = None
        self.lease: Lease | None = None
        self.tag: str | None = None
        self.until = 0.0
        self.writes = 0

    def nonce(self) -> str:
        self.writes += 1
        return f"{self.name}{self.writes}"

    def look(self, now: float) -> None:
        found = self.objects.get(KEY)
        tag, lease = (found.tag, read_lease(found.data)) if found else (None, None)
        here = now + self.offset
        self.seen = self.seen.looked(tag, lease, here) if self.seen else Seen(tag, lease, here)

    def write(self, now: float, held_up: float) -> float:
        """Take, or renew; between the decision and the write it stands still for `held_up`."""
        here = now + self.offset
        if self.lease is not None and here <= self.until:
            wanted, expected = renewed(self.lease, self.nonce()), self.tag
        elif self.seen is not None and self.seen.is_free(here):
            wanted, expected = taken(self.seen.lease, owner(self.name), TTL, self.nonce()), self.seen.tag
        else:
            return now
        try:
            self.tag = self.objects.put(KEY, wanted.to_bytes(), expected)
        except ObjectChanged:
            self.lease = None
            return now + held_up
        self.lease, self.until = wanted, trusted_until(here, TTL)
        return now + held_up

    def acts(self, now: float) -> bool:
        return self.lease is not None and now + self.offset <= self.until


MOVES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["look", "write"]), st.floats(0, TTL * 1.5)), min_size=5, max_size=60
)


@given(MOVES, st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
@settings(max_examples=400)
def test_never_two_who_may_act_and_tokens_only_grow(moves: list[tuple[int, str, float]], offsets: list[float]) -> None:
    """Four machines whose clocks agree on nothing but the length of a second; any of them stands still for any time."""
    now = 0.0
    shared = Shared(lambda: now)
    runners = [Runner(f"r{number}", shared, offset) for number, offset in enumerate(offsets)]
    tokens: list[int] = []
    for number, move, passes in moves:
        runner = runners[number]
        if move == "look":
            runner.look(now)
        else:
            before = runner.lease
            now = runner.write(now, 0.0)
            if runner.lease is not None and (before is None or runner.lease.token != before.token):
                tokens.append(runner.lease.token)
        assert sum(each.acts(now) for each in runners) <= 1
        now += passes
        assert sum(each.acts(now) for each in runners) <= 1
    assert tokens == sorted(set(tokens))


@pytest.mark.parametrize("contenders", [2, 5])
def test_of_many_at_once_one_has_it(contenders: int) -> None:
    time = Time()
    shared = bucket(time)
    have, refused = list[Held](), list[str]()

    def contend(number: int) -> None:
        own = Time()

        def beat() -> None:
            for each in have:
                each.renew()

        own.during = beat
        try:
            have.append(taking(shared, own, f"r{number}"))
        except LockedError as error:
            refused.append(error.why)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert ([each.token for each in have], len(refused)) == ([1], contenders - 1)
