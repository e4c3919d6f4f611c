"""The resolver against the sandbox's own DNS server: what a client sees, and clear errors when it sees nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from rotator.domain.errors import DatabaseUnreachable, UsageError
from rotator.network.interface import CnameAnswer
from rotator.network.resolver import ClientResolver, Link, parse_host_port
from rotator.sandbox.dns.server import serve
from rotator.sandbox.interface import Answer

NAME = "db.shop.internal"
BLUE = "shop.abc.eu-west-1.rds.amazonaws.com"


class Zone:
    """A lookup whose contents a test may change."""

    def __init__(self) -> None:
        self.target: str | None = BLUE
        self.addresses = {BLUE: "127.9.9.1"}

    def __call__(self, name: str, kind: str) -> tuple[Answer, ...]:
        if name == NAME and self.target is not None:
            cname = Answer(NAME, "CNAME", self.target, 7)
            return (cname, *self(self.target, kind)) if kind != "CNAME" else (cname,)
        if kind == "A" and name in self.addresses:
            return (Answer(name, "A", self.addresses[name], 5),)
        return ()


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def resolver(zone: Zone) -> Iterator[ClientResolver]:
    server = serve("127.0.0.1", 0, zone)
    yield ClientResolver(f"127.0.0.1:{server.port}", timeout=3)
    server.close()


def test_cname_and_addresses_follow_the_chain(resolver: ClientResolver) -> None:
    assert resolver.cname(NAME) == BLUE
    assert resolver.addresses(NAME) == ("127.9.9.1",)


def test_an_answer_has_the_time_that_it_may_be_kept(resolver: ClientResolver) -> None:
    assert resolver.answer(NAME) == CnameAnswer(BLUE, 7)
    assert resolver.answer("nobody.internal") is None


def test_each_record_on_the_way_has_its_own_ttl(resolver: ClientResolver) -> None:
    assert resolver.links(NAME) == (Link(NAME, "CNAME", BLUE, 7), Link(BLUE, "A", "127.9.9.1", 5))


def test_a_change_is_seen_at_once(resolver: ClientResolver, zone: Zone) -> None:
    assert resolver.addresses(NAME) == ("127.9.9.1",)
    zone.addresses["green"] = "127.9.9.2"
    zone.target = "green"
    assert resolver.cname(NAME) == "green"
    assert resolver.addresses(NAME) == ("127.9.9.2",)


def test_no_record_is_no_error(resolver: ClientResolver, zone: Zone) -> None:
    assert resolver.cname("nobody.internal") is None
    assert resolver.addresses("nobody.internal") == ()
    assert resolver.cname(BLUE) is None
    zone.target = None
    assert resolver.cname(NAME) is None


def test_a_silent_name_server_is_reported() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = ClientResolver(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.3)
        with pytest.raises(DatabaseUnreachable, match=r"no answer from 127\.0\.0\.1"):
            resolver.addresses(NAME)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("[::1]", ("::1", 53)),
        ("::1", ("::1", 53)),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_host_port(text) == expected


@pytest.mark.parametrize("text", ["", ":53", "127.0.0.1:", "127.0.0.1:dns", "127.0.0.1:0", "127.0.0.1:70000", "[::1"])
def test_malformed_host_and_port(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_host_port(text)


def test_a_host_name_as_name_server_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        ClientResolver("ns.example:53")
    assert "IP address" in caught.value.why


def test_an_impossible_name_is_a_usage_error(resolver: ClientResolver) -> None:
    with pytest.raises(UsageError):
        resolver.addresses("a" * 70 + ".internal")
