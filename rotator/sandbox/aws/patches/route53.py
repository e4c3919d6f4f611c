"""Route 53: private zones and records that exist already."""

from __future__ import annotations

from typing import Any

from moto.route53.exceptions import ResourceRecordAlreadyExists
from moto.route53.models import Route53Backend
from moto.route53.responses import Route53

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher


def _private_zones(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def create_hosted_zone(self: Any) -> Any:
            answer = original(self)
            vpc = self._get_param("VPC.VPCId")
            zone = answer.result["HostedZone"]
            if vpc and not zone.private_zone:
                zone.private_zone = True
                zone.add_vpc(vpc, self._get_param("VPC.VPCRegion"))
                answer.result["VPC"] = {"VPCId": vpc, "VPCRegion": self._get_param("VPC.VPCRegion")}
                answer.result["DelegationSet"] = None
            return answer

        return create_hosted_zone

    patcher.wrap(Route53, "create_hosted_zone", make)


def _existing_records(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def change_resource_record_sets(self: Route53Backend, zoneid: str, change_list: list[Any]) -> Any:
            present = {_identity(vars(each)) for each in self.get_hosted_zone(zoneid).rrsets}
            for change in change_list:
                record = change["ResourceRecordSet"]
                wanted = (_plain(record["Name"]), record["Type"], record.get("SetIdentifier"))
                if change["Action"] == "CREATE" and wanted in present:
                    raise ResourceRecordAlreadyExists(name=record["Name"], _type=record["Type"])
            return original(self, zoneid, change_list)

        return change_resource_record_sets

    patcher.wrap(Route53Backend, "change_resource_record_sets", make)


def _identity(record: Any) -> tuple[str, str, str | None]:
    return _plain(record["name"]), record["type"], record.get("set_identifier")


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


PATCHES = (
    Patch("private-zones", "moto calls a zone public although a VPC was given", _private_zones),
    Patch(
        "existing-records",
        "moto lets CREATE replace a record that an UPSERT made, or adds it a second time",
        _existing_records,
    ),
)
