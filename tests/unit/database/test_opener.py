from dataclasses import dataclass

import pytest

from rotator.database.opener import Login, Opener
from rotator.database.postgres.server import PostgresServer
from rotator.domain.errors import DatabaseUnreachable

LOGIN = Login("app", "shop", "pa55word", "verify-full", "/etc/rds.pem")


@dataclass(frozen=True)
class FakeResolver:
    known: dict[str, tuple[str, ...]]

    def cname(self, name: str) -> str | None:
        return None

    def addresses(self, name: str) -> tuple[str, ...]:
        return self.known.get(name, ())


def open_at(host: str, known: dict[str, tuple[str, ...]], address: str | None = None) -> PostgresServer:
    server = Opener(LOGIN, FakeResolver(known)).at(host, 5432, address=address)
    assert isinstance(server, PostgresServer)
    return server


def test_the_name_is_kept_for_tls_and_the_address_is_the_resolvers() -> None:
    target = open_at("db.example", {"db.example": ("10.0.0.9",)}).target
    assert (target.host, target.address, target.sslmode, target.database) == (
        "db.example",
        "10.0.0.9",
        "verify-full",
        "shop",
    )


def test_ipv4_comes_first() -> None:
    assert open_at("db.example", {"db.example": ("fd00::1", "10.0.0.9")}).target.address == "10.0.0.9"


def test_a_given_address_overrides_dns() -> None:
    assert open_at("db.example", {}, address="10.1.1.1").target.address == "10.1.1.1"


def test_a_literal_address_needs_no_dns() -> None:
    assert open_at("127.0.0.1", {}).target.address == "127.0.0.1"


def test_through_a_name_its_address_is_connected_to_and_the_host_is_verified() -> None:
    opener = Opener(LOGIN, FakeResolver({"orders.example": ("10.0.0.7",)}))
    server = opener.through("orders.example", "db.example", 5432)
    assert isinstance(server, PostgresServer)
    assert (server.target.host, server.target.address) == ("db.example", "10.0.0.7")


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        open_at("db.example", {})
    assert "db.example" in caught.value.what
    assert caught.value.fix


def test_the_password_is_in_no_repr() -> None:
    opener = Opener(LOGIN, FakeResolver({"db.example": ("10.0.0.9",)}))
    assert "pa55word" not in repr(opener) + repr(opener.at("db.example", 5432))
