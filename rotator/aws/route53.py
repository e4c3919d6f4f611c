"""Route 53: zones and records. The record is changed by Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rotator.aws.faults import aws_faults, code_of
from rotator.domain.aws import Record
from rotator.domain.errors import Blocked

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import (
        HostedZoneTypeDef,
        ListHostedZonesRequestTypeDef,
        ListResourceRecordSetsRequestTypeDef,
        ResourceRecordSetOutputTypeDef,
    )

_POLICIES = {
    "Weight": "weighted",
    "Region": "latency",
    "Failover": "failover",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "MultiValueAnswer": "multivalue",
    "CidrRoutingConfig": "ip-based",
}
_PREFERRED = ("CNAME", "A", "AAAA")
"""What a client that asks for a name's address is answered with."""


class BotoDns:
    """Implements Dns."""

    def __init__(self, client: Route53Client) -> None:
        self._client = client

    def zone_id(self, zone: str, *, private: bool) -> str | None:
        """The id (without /hostedzone/) of the one public or private zone of that name; None when there is none.

        Raises Blocked (code ambiguous-zone) when there are several: private zones may share a name.
        """
        name = plain(zone)
        with aws_faults("route53", self._client.meta.endpoint_url):
            found = [z for z in self._zones(name) if _is_private(z) is private]
        ids = [_id(z) for z in found]
        if len(ids) > 1:
            kind = "private" if private else "public"
            raise Blocked(
                f"There are {len(ids)} {kind} hosted zones {name}.",
                why=f"They are {', '.join(ids)}; the wrong one could be changed.",
                fix="Set [dns] zone_id in rotation.toml.",
                code="ambiguous-zone",
            )
        return ids[0] if ids else None

    def _zones(self, name: str) -> list[HostedZoneTypeDef]:
        """All zones of that name: Route 53 lists zones in order, beginning with the one that is asked for."""
        page = self._client.list_hosted_zones_by_name(DNSName=name)
        found = [z for z in page["HostedZones"] if plain(z["Name"]) == name]
        while page.get("IsTruncated") and plain(page.get("NextDNSName", "")) == name:
            page = self._client.list_hosted_zones_by_name(
                DNSName=page["NextDNSName"], HostedZoneId=page["NextHostedZoneId"]
            )
            found += [z for z in page["HostedZones"] if plain(z["Name"]) == name]
        return found

    def record(self, zone_id: str, name: str) -> Record | None:
        """The record set of exactly that name: its CNAME when it has one, else an address record, else any.

        `routing_policy` names the policy when the set is one of several, as 'weighted'; None when there is no set, or
        the zone itself is gone.
        """
        with aws_faults("route53", self._client.meta.endpoint_url):
            try:
                found = self._record_sets(zone_id, plain(name))
            except ClientError as fault:
                if code_of(fault) != "NoSuchHostedZone":
                    raise
                found = []
        found.sort(key=lambda r: _PREFERRED.index(r["Type"]) if r["Type"] in _PREFERRED else len(_PREFERRED))
        return _record(zone_id, found[0]) if found else None

    def holders(self, name: str) -> tuple[Record, ...]:
        """The CNAME or address records of exactly that name, in every zone of the account that can hold it."""
        labels = plain(name).split(".")
        found: list[Record] = []
        with aws_faults("route53", self._client.meta.endpoint_url):
            for start in range(len(labels)):
                for zone in self._zones(".".join(labels[start:])):
                    record = self.record(_id(zone), name)
                    if record is not None and record.kind in _PREFERRED:
                        found.append(replace(record, private=_is_private(zone)))
        return tuple(found)

    def records_at(self, target: str) -> tuple[Record, ...]:
        """The record sets of all zones of the account that name the host `target` in a value, of whatever type."""
        with aws_faults("route53", self._client.meta.endpoint_url):
            return tuple(
                replace(_record(_id(zone), found), private=_is_private(zone))
                for zone in self._all_zones()
                for found in self._record_sets(_id(zone))
                if plain(target) in _hosts(found)
            )

    def _all_zones(self) -> Iterator[HostedZoneTypeDef]:
        request: ListHostedZonesRequestTypeDef = {}
        while True:
            page = self._client.list_hosted_zones(**request)
            yield from page["HostedZones"]
            if not page.get("IsTruncated"):
                return
            request = {"Marker": page["NextMarker"]}

    def _record_sets(self, zone_id: str, name: str | None = None) -> list[ResourceRecordSetOutputTypeDef]:
        """The record sets of a zone; with `name`, those of that name: Route 53 lists them in order."""
        request: ListResourceRecordSetsRequestTypeDef = {"HostedZoneId": zone_id}
        if name is not None:
            request["StartRecordName"] = name
        found: list[ResourceRecordSetOutputTypeDef] = []
        while True:
            page = self._client.list_resource_record_sets(**request)
            found += [r for r in page["ResourceRecordSets"] if name is None or plain(r["Name"]) == name]
            if not page.get("IsTruncated") or (name is not None and plain(page.get("NextRecordName", "")) != name):
                return found
            request = {
                "HostedZoneId": zone_id,
                "StartRecordName": page["NextRecordName"],
                "StartRecordType": page["NextRecordType"],
            }
            if "NextRecordIdentifier" in page:
                request["StartRecordIdentifier"] = page["NextRecordIdentifier"]


def plain(name: str) -> str:
    """A DNS name in lower case, without its trailing dot."""
    return name.lower().removesuffix(".")


def _id(zone: HostedZoneTypeDef) -> str:
    return zone["Id"].rpartition("/")[2]


def _is_private(zone: HostedZoneTypeDef) -> bool:
    return zone.get("Config", {}).get("PrivateZone", False)


def _hosts(found: ResourceRecordSetOutputTypeDef) -> frozenset[str]:
    """Whatever may be a host name in a set's values: the host of an SRV or of a quoted text as well."""
    target = found.get("AliasTarget")
    values = [target["DNSName"]] if target else [r["Value"] for r in found.get("ResourceRecords", [])]
    return frozenset(plain(word.strip('"')) for value in values for word in value.split())


def _record(zone_id: str, found: ResourceRecordSetOutputTypeDef) -> Record:
    target = found.get("AliasTarget")
    values = [target["DNSName"]] if target else [r["Value"] for r in found.get("ResourceRecords", [])]
    policy = next((words for field, words in _POLICIES.items() if field in found), None)
    if policy is None and "SetIdentifier" in found:
        policy = "routed"
    return Record(
        zone_id=zone_id,
        name=plain(found["Name"]),
        kind=found["Type"],
        ttl=found.get("TTL"),
        values=tuple(value.removesuffix(".") for value in values),
        alias=target is not None,
        routing_policy=policy,
        health_check=found.get("HealthCheckId"),
        written=tuple(values),
    )
