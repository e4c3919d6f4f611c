"""The sandbox's names answer as a resolver would: chains, TTLs, nothing for what is not there."""

from __future__ import annotations

import pytest

from rotator.sandbox.interface import Answer
from rotator.sandbox.names import ENDPOINT_TTL, Entry, Names

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


def test_a_loop_ends() -> None:
    assert all(each.kind == "CNAME" for each in NAMES.lookup("loop.shop.internal", "A"))
