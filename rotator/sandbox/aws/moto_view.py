"""The daemon's view of moto's state: instances with their servers, DNS records. (boto3 would be the long way.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends
from moto.route53.models import route53_backends

from rotator.sandbox.dns.names import Entry, plain
from rotator.sandbox.interface import Fleet, Login

HIDDEN = ("creating", "deleted")


@dataclass(frozen=True)
class Server:
    """An instance of the local AWS with the server behind it; `endpoint` is its RDS name."""

    identifier: str
    endpoint: str
    login: Login = field(repr=False)


def endpoint_name(identifier: str, region: str) -> str:
    """The RDS name that an instance of that identifier has, or is about to have."""
    return f"{identifier}.aaaaaaaaaa.{region}.rds.amazonaws.com"


def servers(region: str, fleet: Fleet) -> tuple[Server, ...]:
    """The instances that have an endpoint now."""
    addresses = fleet.addresses()
    return tuple(
        _server(database, addresses[database.db_instance_identifier], fleet.certificate())
        for database in _databases(region)
        if database.status not in HIDDEN and database.db_instance_identifier in addresses
    )


def endpoints(region: str, fleet: Fleet) -> Mapping[str, str]:
    """RDS endpoint name -> address."""
    return {plain(each.endpoint): each.login.host for each in servers(region, fleet)}


def entries() -> Iterator[Entry]:
    """Every record set of every hosted zone (alias records have no values of their own and are left out)."""
    for zone in tuple(route53_backends[DEFAULT_ACCOUNT_ID]["aws"].zones.values()):
        for record in tuple(zone.rrsets):
            if record.records:
                values = tuple(str(value) for value in record.records)
                kind, ttl, private = str(record.type), int(record.ttl or 0), bool(zone.private_zone)
                yield Entry(plain(record.name), kind, ttl, values, plain(zone.name), private)


def _databases(region: str) -> tuple[Any, ...]:
    return tuple(rds_backends[DEFAULT_ACCOUNT_ID][region].databases.values())


def _server(database: Any, address: str, certificate: Path | None) -> Server:
    login = Login(
        host=address,
        port=int(database.port),
        user=database.master_username,
        database=database.db_name or "postgres",
        password=database._master_user_password or "",
        authority=str(certificate) if certificate else None,
    )
    return Server(database.db_instance_identifier, database.address, login)
