"""Where RDS manages the master password, each instance is connected to with its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fakes import BLUE, OLD_KEY, instance, managed_secret, new_world
from fakes import FakeRds as Rds

from rotator.aws.managed import KEPT_SECONDS, ManagedLogins, is_managed
from rotator.database.opener import Login, Opener
from rotator.database.postgres.server import PostgresServer

GREEN = f"{BLUE}-g1"
MANAGED = {"instance_class": "db.t4g.micro", "manage_master_user_password": True}


@dataclass
class Secrets:
    version: int = 1
    asked: list[str] = field(default_factory=list)

    def json_secret(self, secret_id):
        self.asked.append(secret_id)
        return {"username": "master", "password": f"{secret_id.split(':')[-1]} v{self.version}"}


class Resolver:
    def addresses(self, name):
        return ("10.0.0.1",)

    def cname(self, name):
        return None


def logins(secrets, now):
    world = new_world()
    for name in (BLUE, GREEN):
        world.instances[name] = instance(name, OLD_KEY, {}, MANAGED)
    world.instances["plain"] = instance("plain", OLD_KEY, {}, {})
    return ManagedLogins(Rds(world), secrets, lambda: now[0]), world


def test_each_instance_has_its_own_and_it_is_read_again_after_a_minute():
    secrets, now = Secrets(), [0.0]
    found, world = logins(secrets, now)
    blue, green = (world.instances[name].address for name in (BLUE, GREEN))
    assert found.of(blue)["password"] == f"rds!db-{BLUE}-AbCdEf v1"
    assert found.of(green.upper())["password"] == f"rds!db-{GREEN}-AbCdEf v1"
    secrets.version = 2
    assert found.of(blue)["password"].endswith("v1")
    now[0] += KEPT_SECONDS
    assert found.of(blue)["password"].endswith("v2")
    assert secrets.asked.count(managed_secret(BLUE)) == 2


def test_what_has_no_secret_has_none():
    found, world = logins(Secrets(), [0.0])
    assert found.of(world.instances["plain"].address) is None
    assert found.of("elsewhere.example") is None


def test_the_opener_logs_in_at_each_host_with_its_own():
    login = Login("app", "shop", "shared")
    own = {"green": ("master", "greens")}
    opener = replace(Opener(login, Resolver()), own_login=own.get)
    for host, wanted in (("green", ("master", "greens")), ("blue", ("app", "shared"))):
        server = opener.at(host, 5432)
        assert isinstance(server, PostgresServer)
        assert (server.target.user, server.target.password) == wanted
        assert "greens" not in repr(server)
    channel = opener.channel("r", ("blue", 5432), ("green", 5432))
    assert (channel.source.password, channel.target.password) == ("shared", "greens")


def test_managed_secrets_are_known_by_their_name():
    assert is_managed("arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1234-AbCdEf")
    assert is_managed("rds!db-1234")
    assert not is_managed("orders/rds!master")
    assert not is_managed(None)
