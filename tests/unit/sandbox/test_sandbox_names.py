"""The sandbox's names answer as a resolver would: chains, TTLs, nothing for what is not there."""

from __future__ import annotations

import pytest

from rotator.sandbox.dns.names import ENDPOINT_TTL, Entry, Names
from rotator.sandbox.interface import Answer

RDS = "blue.abc.eu-central-1.rds.amazonaws.com"
NAMES = Names(
    entries=lambda: [
        Entry("db.shop.internal", "CNAME", 60, (f"{RDS}.",)),
        Entry("short.shop.internal", "CNAME", 7, ("DB.shop.internal",)),
        Entry("loop.shop.internal", "CNAME", 7, ("loop.shop.internal",)),
        Entry("two.shop.internal", "A", 30, ("10.0.0.1", "10.0.0.2")),
    ],
    endpoints=lambda: {RDS: "127.0.9.1"},
)
TO_RDS = Answer("db.shop.internal", "CNAME", RDS, 60)


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        (RDS, "A", (Answer(RDS, "A", "127.0.9.1", ENDPOINT_TTL),)),
        ("db.shop.internal", "CNAME", (TO_RDS,)),
        ("DB.Shop.Internal.", "A", (TO_RDS, Answer(RDS, "A", "127.0.9.1", ENDPOINT_TTL))),
        ("db.shop.internal", "AAAA", (TO_RDS,)),
        ("unknown.shop.internal", "A", ()),
        (
            "two.shop.internal",
            "A",
            (Answer("two.shop.internal", "A", "10.0.0.1", 30), Answer("two.shop.internal", "A", "10.0.0.2", 30)),
        ),
    ],
)
def test_lookup(name: str, kind: str, answers: tuple[Answer, ...]) -> None:
    assert NAMES.lookup(name, kind) == answers


def test_a_chain_of_two_names() -> None:
    kinds = [(each.kind, each.ttl) for each in NAMES.lookup("short.shop.internal", "A")]
    assert kinds == [("CNAME", 7), ("CNAME", 60), ("A", ENDPOINT_TTL)]


def test_a_private_zone_hides_a_public_one_and_a_more_specific_one_the_others() -> None:
    def cname(value: str, zone: str, *, private: bool) -> Entry:
        return Entry("db.shop.internal", "CNAME", 60, (value,), zone, private)

    public, private = (
        cname("public.rds", "shop.internal", private=False),
        cname("private.rds", "shop.internal", private=True),
    )
    other = Entry("web.shop.internal", "A", 60, ("10.0.0.1",), "shop.internal", private=False)
    specific = Entry("db.shop.internal", "A", 60, ("10.0.0.2",), "db.shop.internal", private=True)

    def seen(*entries: Entry, name: str = "db.shop.internal", kind: str = "CNAME") -> list[str]:
        return [each.value for each in Names(lambda: entries, dict).lookup(name, kind)]

    assert seen(public, other) == ["public.rds"]
    assert seen(public, private) == seen(private, public) == ["private.rds"]
    assert seen(public, private, other, name="web.shop.internal", kind="A") == [], "the private zone has no such name"
    assert seen(private, specific) == []
    assert seen(private, specific, kind="A") == ["10.0.0.2"]


def test_a_loop_ends() -> None:
    assert all(each.kind == "CNAME" for each in NAMES.lookup("loop.shop.internal", "A"))
