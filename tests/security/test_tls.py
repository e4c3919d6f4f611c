"""Somebody in between: a false name server, or a machine on the way, that wants the master's password and the rows.

He can answer in the database's place, with a certificate of his own, with one that is good for another name, or without
TLS. What he gains where he is believed: the password in clear, and every row that goes over the connection.
"""

from __future__ import annotations

import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from man_in_the_middle import man_in_the_middle

from rotator.database.interface import Target
from rotator.database.opener import Login, Opener
from rotator.database.postgres.connection import session
from rotator.database.postgres.encryption import encryption_findings
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.domain.errors import DatabaseError, DatabaseUnreachable
from rotator.sandbox.postgres import binaries, snapshots
from rotator.sandbox.postgres.authority import Authority
from rotator.sandbox.postgres.cluster import Cluster

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not binaries.find().tls, reason="these servers were built without TLS"),
]

PASSWORD, MASTER, DATABASE, ROTATION = "m4ster-s secret", "shop_admin", "shop", "tls-g1"
ENDPOINT, GREEN_ENDPOINT = "localhost", "green.shop.internal"
"""Blue's is a name that the servers' own resolver leads to 127.0.0.1, where blue is not: there stands the attacker."""


@dataclass(frozen=True)
class Two:
    """A blue, its restored green, and how the tool connects; `other` is an authority that nobody trusts."""

    blue: Cluster
    green: Cluster
    other: Authority

    @property
    def source(self) -> Target:
        return replace(self.blue.target(PASSWORD, DATABASE), host=ENDPOINT)

    @property
    def target(self) -> Target:
        return replace(self.green.target(PASSWORD, DATABASE), host=GREEN_ENDPOINT)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with tempfile.TemporaryDirectory(prefix="rotator-tls-") as text:
        home = Path(text)
        home.chmod(0o711)
        authority, other = Authority.make(home / "authority"), Authority.make(home / "other", "Mallory")
        blue = Cluster.create(
            home / "blue",
            password=PASSWORD,
            master=MASTER,
            database=DATABASE,
            port=free_port(),
            authority=authority,
            names=(ENDPOINT,),
        )
        green = None
        try:
            with session(blue.target(PASSWORD, DATABASE), doing="test") as connection:
                connection.execute("create table public.item (id int primary key, note text)")
            channel = PostgresChannel(
                ROTATION, replace(blue.target(PASSWORD, DATABASE), host=ENDPOINT), _nowhere(), False
            )
            channel.open(strengthen=False, progress=lambda fraction, text: None)
            snapshots.take(blue, home / "snapshot")
            green = snapshots.restore(
                home / "snapshot", home / "green", {}, frozenset({blue.address}), (GREEN_ENDPOINT,)
            )
            yield Two(blue, green, other)
        finally:
            for each in (blue, green):
                if each is not None:
                    each.kill()


def _nowhere() -> Target:
    return Target("nowhere.invalid", 1, MASTER, DATABASE, PASSWORD)


def connected(target: Target) -> None:
    with session(target, doing="test"):
        pass


def refused(target: Target) -> DatabaseUnreachable:
    with pytest.raises(DatabaseUnreachable) as caught:
        connected(target)
    return caught.value


def test_a_server_without_tls_is_given_no_password(two: Two) -> None:
    with man_in_the_middle(None) as man:
        error = refused(replace(two.source, address=man.address, port=man.port))
    assert (man.came, man.passwords) == (1, [])
    assert error.code == "database-tls"
    assert PASSWORD not in str(error)


def test_a_server_with_a_certificate_of_another_authority_is_given_no_password(two: Two) -> None:
    with man_in_the_middle(two.other, ENDPOINT) as man:
        error = refused(replace(two.source, address=man.address, port=man.port))
    assert (man.came, man.passwords) == (1, [])
    assert error.code == "database-tls"


def test_another_instance_of_the_same_authority_is_given_no_password(two: Two) -> None:
    """Anybody can have an RDS instance, with a certificate of RDS: for another name."""
    authority = two.blue.authority
    assert authority is not None
    with man_in_the_middle(authority, "mallory.rds.internal") as man:
        error = refused(replace(two.source, address=man.address, port=man.port))
    assert (man.came, man.passwords) == (1, [])
    assert error.code == "database-tls"


def test_what_is_not_told_how_to_verify_verifies(two: Two) -> None:
    assert {Target("h", 1, "u", "d").sslmode, Login("u", "d").sslmode} == {"verify-full"}


@pytest.mark.parametrize("name", [ENDPOINT, "mallory.rds.internal"])
def test_a_subscription_gives_its_password_and_its_place_to_nobody_else(two: Two, name: str) -> None:
    """The servers' own name server leads to the attacker: with his own authority, or one that RDS has signed."""
    authority = two.other if name == ENDPOINT else two.blue.authority
    channel = PostgresChannel(ROTATION, two.source, two.target)
    with man_in_the_middle(authority, name, port=two.blue.port) as man, pytest.raises(DatabaseError) as caught:
        channel.attach(None)
    assert man.came == 1
    assert man.passwords == []
    assert caught.value.code == "link-tls"
    assert ("signed by none" if name == ENDPOINT else "another instance") in caught.value.why
    channel.detach()


def test_replication_is_verified_and_its_encryption_is_told(two: Two) -> None:
    channel = PostgresChannel(ROTATION, two.source, two.target, pinned=True)
    channel.attach(channel.position())
    channel.start()
    try:
        channel.catch_up(30.0)
        found = channel.encryption()
        assert found is not None
        assert str(found) == "TLSv1.3, authority and name verified"
        with two.blue.admin() as admin:
            clear = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where not ssl and usename <> ''"
            assert admin.execute(clear).fetchone() == (0,)
        with two.green.admin(DATABASE) as admin:
            (conninfo,) = admin.execute("select subconninfo from pg_subscription").fetchone() or ("",)
        assert "sslmode=verify-full" in str(conninfo)
        assert "ca.pem" in str(conninfo)
    finally:
        channel.detach()


def test_a_restored_server_has_a_certificate_of_its_own(two: Two) -> None:
    connected(two.target)
    assert refused(replace(two.target, host=ENDPOINT)).code == "database-tls"


def test_the_applications_name_must_lead_to_the_instance_itself(two: Two) -> None:
    """The probe after the flip goes through a CNAME, which is in no certificate: the endpoint's name is verified."""
    tls = {"sslmode": "verify-full", "sslrootcert": two.source.sslrootcert}
    login = Login(MASTER, DATABASE, PASSWORD, **tls)  # type: ignore[arg-type]
    for leads_to, ours in ((two.green.address, True), (two.blue.address, False)):
        server = Opener(login, Resolver(leads_to)).through("db.shop.internal", GREEN_ENDPOINT, two.green.port)
        if ours:
            assert server.ping()
        else:
            with pytest.raises(DatabaseUnreachable) as caught:
                server.ping()
            assert caught.value.code == "database-tls"


@dataclass(frozen=True)
class Resolver:
    address: str

    def cname(self, name: str) -> str | None:
        return None

    def addresses(self, name: str) -> tuple[str, ...]:
        return (self.address,)


def test_sessions_in_clear_are_refused_where_rds_refuses_them(two: Two) -> None:
    where = {"host": two.blue.address, "port": two.blue.port, "dbname": DATABASE, "sslmode": "disable"}
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(**where, user=MASTER, password=PASSWORD)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sslmode", "risk"),
    [("allow", "in clear"), ("prefer", "in clear"), ("require", "no certificate"), ("verify-ca", "the name")],
)
def test_preflight_says_what_a_weaker_mode_risks_and_what_is_used(two: Two, sslmode: str, risk: str) -> None:
    target = replace(two.source, sslmode=sslmode)
    with session(target, doing="test") as connection:
        found = {each.code: each for each in encryption_findings(target, connection)}
    assert risk in found["weak-tls"].why
    assert sslmode in found["weak-tls"].what
    assert "TLSv1.3" in found["weak-tls"].what
    assert not found["weak-tls"].blocks


def test_verified_sessions_give_no_finding(two: Two) -> None:
    with session(two.source, doing="test") as connection:
        assert list(encryption_findings(two.source, connection)) == []


def test_keys_are_readable_for_their_owner_alone(two: Two) -> None:
    assert two.blue.authority is not None
    keys = (two.blue.folder / "server-key.pem", two.blue.authority.folder / "ca-key.pem")
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600, 0o600]
    assert not list(two.blue.data.glob("*.pem"))  # a snapshot does not hold them
