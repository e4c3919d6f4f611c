"""Matrix: a further record in another zone, and an applications' resolver with a will of its own, on real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import Project, make_project

from rotator.network.resolver import ClientResolver
from rotator.sandbox.dns.server import DnsServer, serve
from rotator.sandbox.interface import Answer

pytestmark = [pytest.mark.e2e, pytest.mark.terraform, pytest.mark.postgres, pytest.mark.matrix]

NAME, LEGACY = "db.sandbox.internal", "db.old.internal"


class Forwarder:
    """What applications ask: the sandbox's answers; with `ttl`, kept for longer than told; with `stays`, for ever."""

    def __init__(self, upstream: str) -> None:
        self._upstream = ClientResolver(upstream)
        self.ttl: int | None = None
        self.stays: str | None = None

    def __call__(self, name: str, kind: str) -> tuple[Answer, ...]:
        if kind == "CNAME":
            found = self._upstream.answer(name)
            channels = [(name, "CNAME", found.target, found.ttl)] if found is not None else []
        else:
            channels = [(each.owner, each.kind, each.value, each.ttl) for each in self._upstream.channels(name)]
        return tuple(
            Answer(owner, of, self.stays if of == "CNAME" and self.stays else value, self.ttl or ttl)
            for owner, of, value, ttl in channels
            if of in ("CNAME", kind)
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path)
    made.setting(r"^\[sandbox\]$", "[sandbox]\nseed_mb = 5")
    made.setting(r"^\[rotation\]$", '[rotation]\nstrategy = "replicate"')
    up = made.run("sandbox", "up", "local", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield made
    down = made.run("sandbox", "down", "local")
    assert down.returncode == 0, down.stderr


@pytest.fixture
def forwarder(project: Project) -> Iterator[Forwarder]:
    forwarder = Forwarder(project.dns)
    server: DnsServer = serve("127.0.0.1", 0, forwarder)
    asked = f'[dns]\nresolver = "127.0.0.1:{server.port}"\nalso = ["{LEGACY}"]'
    project.setting(r"^\[dns\]$", asked)
    yield forwarder
    server.close()


def address(project: Project, identifier: str) -> str:
    found = project.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    return str(found["Endpoint"]["Address"])


def legacy(project: Project) -> str:
    """A second zone with a record at blue, spelled as somebody typed it; the zone's id."""
    route53 = project.client("route53")
    zone: str = route53.create_hosted_zone(Name="old.internal", CallerReference="old")["HostedZone"]["Id"]
    value = f"{address(project, 'shop-db').upper()}."
    record = {"Name": LEGACY, "Type": "CNAME", "TTL": 30, "ResourceRecords": [{"Value": value}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    return zone


def value(project: Project, zone: str) -> str:
    sets = project.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return next(str(r["ResourceRecords"][0]["Value"]) for r in sets if r["Type"] == "CNAME")


def refused(project: Project, code: str) -> dict[str, Any]:
    done = project.run("rotate", "local", "--json")
    assert done.returncode == 20, done.stdout + done.stderr
    error: dict[str, Any] = json.loads(done.stdout)["error"]
    assert error["code"] == code, error
    return error


def test_a_resolver_that_does_not_follow_strands_nobody(project: Project, forwarder: Forwarder) -> None:
    zone = legacy(project)
    forwarder.ttl = 3600
    refused(project, "resolver-not-following")
    status = project.json("status", "local")
    assert status["fenced"] is False

    forwarder.ttl, forwarder.stays = None, address(project, "shop-db")
    refused(project, "flipped-back")
    status = project.json("status", "local")
    assert status["fenced"] is False
    assert status["next_command"].endswith("rotator rollback local")  # typed by the path that was used
    upstream = ClientResolver(project.dns)
    assert upstream.cname(NAME) == upstream.cname(LEGACY) == address(project, "shop-db")
    assert value(project, zone) == f"{address(project, 'shop-db').upper()}."
    back = project.json("rollback", "local", "--yes")
    assert back["canary"]["lost"] == back["canary"]["doubled"] == 0

    forwarder.stays = None
    rotated = project.json("rotate", "local")
    assert rotated["canary"]["lost"] == rotated["canary"]["doubled"] == 0
    assert upstream.cname(NAME) == upstream.cname(LEGACY) == address(project, "shop-db-g2")
    assert project.run("retire", "local", "--yes").returncode == 0
