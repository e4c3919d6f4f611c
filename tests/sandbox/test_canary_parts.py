"""The canary's parts without a server: its cache, its log, its arithmetic of pauses."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.network.resolver import Link
from rotator.sandbox.canary_dns import CachingResolver
from rotator.sandbox.canary_log import Entry, Kind, WriterLog, path, ranges, read, writers
from rotator.sandbox.canary_report import longest_pause

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


def test_the_log_is_read_back_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    log = WriterLog(tmp_path, 3)
    log.add(Kind.TRY, 1)
    log.add(Kind.ACK, 1)
    with path(tmp_path, 3).open("a") as file:
        file.write("A 2 12")
    log.close()
    assert [(entry.kind, entry.seq) for entry in read(tmp_path, 3)] == [(Kind.TRY, 1), (Kind.ACK, 1)]
    assert writers(tmp_path) == (3,)
    assert list(read(tmp_path, 4)) == []


@pytest.mark.parametrize(
    ("numbers", "expected"), [((), ()), ((5,), ((5, 5),)), ((1, 2, 3, 7, 9, 8), ((1, 3), (7, 9))), ((2, 2), ((2, 2),))]
)
def test_ranges(numbers: tuple[int, ...], expected: tuple[tuple[int, int], ...]) -> None:
    assert ranges(numbers) == expected


def test_the_longest_pause_is_across_all_writers_and_only_between_acknowledgements() -> None:
    entries = tuple(
        Entry(kind, 1, at, 1_000_000 + at)
        for kind, at in [(Kind.ACK, 1.0), (Kind.ACK, 4.0), (Kind.ACK, 2.0), (Kind.FAIL, 6.0), (Kind.ACK, 9.5)]
    )
    assert longest_pause(entries, running=False) == (5.5, 1_000_004.0)


def test_a_pause_that_still_lasts_counts() -> None:
    (pause, started) = longest_pause((Entry(Kind.ACK, 1, 0.0, 5.0),), running=True)
    assert pause > 0
    assert started == 5.0
    assert longest_pause((), running=True) == (0.0, None)
