"""Route 53: zones and records. The record is changed by Terraform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.aws.faults import aws_faults
from rotator.errors import Blocked
from rotator.model import Record

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import (
        HostedZoneTypeDef,
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
            found = [z for z in self._zones(name) if z.get("Config", {}).get("PrivateZone", False) is private]
        ids = [z["Id"].rpartition("/")[2] for z in found]
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

        `routing_policy` names the policy when the set is one of several, as 'weighted'; None when there is no set.
        """
        with aws_faults("route53", self._client.meta.endpoint_url):
            found = self._record_sets(zone_id, plain(name))
        found.sort(key=lambda r: _PREFERRED.index(r["Type"]) if r["Type"] in _PREFERRED else len(_PREFERRED))
        return _record(zone_id, found[0]) if found else None

    def _record_sets(self, zone_id: str, name: str) -> list[ResourceRecordSetOutputTypeDef]:
        page = self._client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=name)
        found = [r for r in page["ResourceRecordSets"] if plain(r["Name"]) == name]
        while page.get("IsTruncated") and plain(page.get("NextRecordName", "")) == name:
            start: ListResourceRecordSetsRequestTypeDef = {
                "HostedZoneId": zone_id,
                "StartRecordName": page["NextRecordName"],
                "StartRecordType": page["NextRecordType"],
            }
            if "NextRecordIdentifier" in page:
                start["StartRecordIdentifier"] = page["NextRecordIdentifier"]
            page = self._client.list_resource_record_sets(**start)
            found += [r for r in page["ResourceRecordSets"] if plain(r["Name"]) == name]
        return found


def plain(name: str) -> str:
    """A DNS name in lower case, without its trailing dot."""
    return name.lower().removesuffix(".")


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
    )
