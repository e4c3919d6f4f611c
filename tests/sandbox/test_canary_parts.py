"""The canary's parts without a server: its cache, its log, its arithmetic of pauses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from rotator.network.resolver import Link
from rotator.sandbox.canary import process as canary
from rotator.sandbox.canary.dns import CachingResolver
from rotator.sandbox.canary.log import Kind, Tail, WriterLog, last_tried, path, writers
from rotator.sandbox.canary.mix import CYCLE, QUEUE_AGE, Work, plan, residues, tally, work
from rotator.sandbox.canary.tally import FIRST_SLOW, Pause, Pauses, Tally

NAME = "db.internal"


class FakeResolver:
    """Answers what the test says, and counts the questions."""

    def __init__(self) -> None:
        self.records = {NAME: Link(NAME, "CNAME", "blue", 60), "blue": Link("blue", "A", "127.0.0.1", 5)}
        self.asked: list[str] = []

    def links(self, name: str) -> tuple[Link, ...]:
        self.asked.append(name)
        link = self.records.get(name)
        if link is None:
            return ()
        return (link, *self.links_after(link)) if link.kind == "CNAME" else (link,)

    def links_after(self, link: Link) -> tuple[Link, ...]:
        following = self.records.get(link.value)
        return (following,) if following else ()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_record_is_kept_for_exactly_its_ttl() -> None:
    fake, clock = FakeResolver(), Clock()
    cache = CachingResolver(fake, clock)
    assert cache.address(NAME) == "127.0.0.1"
    fake.records[NAME] = Link(NAME, "CNAME", "green", 5)
    fake.records["green"] = Link("green", "A", "127.0.0.2", 5)
    clock.now += 59.9
    assert cache.address(NAME) == "127.0.0.1"  # the CNAME is still valid, though the address behind it was asked again
    assert fake.asked == [NAME, "blue"]
    clock.now += 0.1
    assert cache.address(NAME) == "127.0.0.2"


def test_a_name_that_leads_nowhere_is_asked_again_each_time() -> None:
    fake = FakeResolver()
    fake.records = {}
    cache = CachingResolver(fake, Clock())
    assert cache.address(NAME) is None
    fake.records[NAME] = Link(NAME, "A", "127.0.0.3", 5)
    assert cache.address(NAME.upper() + ".") == "127.0.0.3"


def test_a_circle_of_cnames_ends() -> None:
    fake = FakeResolver()
    fake.records = {"a": Link("a", "CNAME", "b", 5), "b": Link("b", "CNAME", "a", 5)}
    assert CachingResolver(fake, Clock()).address("a") is None


def test_the_log_is_read_on_and_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    log, tail = WriterLog(tmp_path, 3), Tail(tmp_path, 3)
    log.tried(1)
    log.acknowledged(1)
    with path(tmp_path, 3).open("a") as file:
        file.write("A 2 12")
        file.flush()
        first = list(tail.entries())
        file.write("0.5\n")
    log.failed(Kind.FAIL, 3, "25006")
    log.close()
    assert [(entry.kind, entry.seq) for entry in first] == [(Kind.TRY, 1), (Kind.ACK, 1)]
    assert 0 <= time.monotonic() - first[1].at < 60
    assert [(e.kind, e.seq, e.code) for e in tail.entries()] == [(Kind.ACK, 2, ""), (Kind.FAIL, 3, "25006")]
    assert list(tail.entries()) == []
    assert writers(tmp_path) == (3,)
    assert list(Tail(tmp_path, 4).entries()) == []


def test_what_a_kill_has_torn_stays_unread_and_the_next_process_goes_on(tmp_path: Path) -> None:
    with path(tmp_path, 1).open("w") as file:
        file.write("T 41\nA 41 6.5\nT 42\nA 42 7")
    assert last_tried(tmp_path, 1) == 42
    log = WriterLog(tmp_path, 1)
    log.tried(43)
    log.close()
    assert [(entry.kind, entry.seq) for entry in Tail(tmp_path, 1).entries()] == [
        *((Kind.TRY, 41), (Kind.ACK, 41), (Kind.TRY, 42), (Kind.TRY, 43))
    ]
    assert (last_tried(tmp_path, 1), last_tried(tmp_path, 2)) == (43, 0)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 20), (7, 6), (3, 64), (19, 41)])
def test_kinds_are_counted_as_they_come(first: int, last: int) -> None:
    counted = Counter(work(seq) for seq in range(first, last + 1))
    assert {kind: count for kind, count in tally(first, last).items() if count} == counted


def test_every_kind_of_transaction_is_in_the_cycle_and_a_queue_row_goes_with_one_of_its_own_kind() -> None:
    assert set(CYCLE) == set(Work)
    assert residues(*Work) == list(range(len(CYCLE)))
    assert {work(place + QUEUE_AGE) for place in residues(Work.QUEUE)} == {Work.QUEUE}


@pytest.mark.parametrize("seq", range(1, len(CYCLE) + 1))
def test_nothing_lasts_before_the_last_round_trip(seq: int) -> None:
    quick, patient = plan(4, seq, patient=False), plan(4, seq, patient=True)
    assert patient.last == b"COMMIT"
    for steps in (quick, patient):
        whole = b";".join((*steps.before, steps.last))
        assert whole.count(b"INSERT INTO canary.writes (writer,seq) VALUES (4,%d)" % seq) == 1
        assert whole.count(b"BEGIN") == whole.count(b"COMMIT") + (work(seq) is Work.ROLLBACK) or whole.count(b";") == 0
        assert b"COMMIT" not in b";".join(steps.before)
        assert whole.startswith((b"BEGIN", b"INSERT INTO canary.writes"))


def test_the_longest_pause_is_across_all_writers_whatever_the_order_in_which_they_are_read() -> None:
    pauses = Pauses()
    pauses.add([8.0, 1.0], until=5.0)
    assert pauses.now(None)[0] == Pause(7.0, 1.0)
    pauses.add([9.5, 4.0], until=10.0)  # of a writer that was read before it came to its write
    assert pauses.now(None)[0] == Pause(4.0, 4.0)
    assert pauses.now(16.0)[0] == Pause(6.5, 9.5)
    assert pauses.now(None)[0] == Pause(4.0, 4.0)  # a gap that lasted until then is not one for ever
    assert Pauses().now(16.0) == ()


def write(folder: Path, writer: int, text: str) -> None:
    with path(folder, writer).open("a") as file:
        file.write(text)


def test_a_tally_reads_every_line_once(tmp_path: Path) -> None:
    write(tmp_path, 1, "T 1\nA 1 10.0\nT 2\nF 2 10.1 25006\nF 2 10.2 57P01\nU 2 10.3 broken\nA 2 12.5\n")
    write(tmp_path, FIRST_SLOW, "T 1\nA 1 11.0\n")
    sums = Tally(tmp_path)
    for _ in range(2):
        sums.read_on()
        one, slow = sums.writers[1], sums.writers[FIRST_SLOW]
        assert (one.attempted, one.acknowledged, one.slow) == (2, [(1, 2)], False)
        assert (one.refused_numbers, one.refused, one.unknown) == (1, {"25006": 1, "57P01": 1}, 1)
        assert (one.gap(None), one.gap(17.5)) == (2.5, 5.0)
        assert (slow.attempted, slow.slow) == (1, True)
        assert sums.pauses.now(None)[0] == Pause(1.5, 11.0)
        assert sums.acknowledged() == [(1, 1, 2), (FIRST_SLOW, 1, 1)]
        assert (sums.kinds()["counter"], sums.kinds()["lines"], sums.kinds()["long"]) == (2, 1, 1)
    write(tmp_path, 1, "T 5\nA 5 12.6\n")
    sums.read_on()
    assert sums.writers[1].acknowledged == [(1, 2), (5, 5)]


def test_the_rate_is_of_the_last_minute_or_of_the_whole_run(tmp_path: Path) -> None:
    sums = Tally(tmp_path)
    assert sums.rate(100.0) == 0.0
    write(tmp_path, 1, "".join(f"T {n}\nA {n} {100 + n / 10}\n" for n in range(1, 1001)))
    sums.read_on()
    assert sums.rate(110.0) == pytest.approx(10, rel=0.05)
    assert sums.rate(200.0) == pytest.approx(10, rel=0.05)
    assert sums.rate(230.0) == pytest.approx(5, rel=0.05)


def test_a_writer_that_dies_of_a_fault_ends_the_canary() -> None:
    class Broken:
        def run(self) -> None:
            raise ZeroDivisionError

    stop = threading.Event()
    with pytest.raises(ZeroDivisionError):
        canary._run(Broken(), stop)  # type: ignore[arg-type]
    assert stop.is_set()
