"""KMS, Route 53 and STS in memory."""

from __future__ import annotations

from dataclasses import dataclass

from fake_world import ACCOUNT, OLD_KEY, REGION, World

from rotator.aws.uses import Grant, LastUse
from rotator.domain.aws import Caller, Key, Record
from rotator.domain.errors import AwsError


@dataclass
class FakeKms:
    world: World

    def key(self, key: str) -> Key | None:
        for found in self.world.keys.values():
            if key in (found.arn, found.key_id, *found.aliases):
                return found
        return None


@dataclass
class FakeKeyUses:
    """Uses of any key; `denied` names what the identity may not look at."""

    world: World
    denied: tuple[str, ...] = ()

    def grants(self, key_arn: str) -> tuple[Grant, ...]:
        self._allowed("kms:ListGrants")
        return tuple(self.world.grants) if key_arn == OLD_KEY else ()

    def aliases(self, key_arn: str) -> tuple[str, ...]:
        return self.world.keys[key_arn].aliases

    def key_of_secret(self, secret_id: str) -> str | None:
        return self.world.secret_keys.get(secret_id)

    def log_groups(self, key_arn: str) -> tuple[str, ...]:
        self._allowed("logs:DescribeLogGroups")
        return tuple(name for name, key in self.world.log_groups.items() if key == key_arn)

    def last_use(self, key_arn: str) -> LastUse | None:
        return self.world.last_use

    def _allowed(self, action: str) -> None:
        if action in self.denied:
            raise AwsError(f"AWS does not allow {action}.", fix=f"Allow {action}.", code="aws-access-denied")


@dataclass
class FakeDns:
    world: World

    def zone_id(self, zone: str, *, private: bool) -> str | None:
        return "Z1" if zone == "example.internal" else None

    def record(self, zone_id: str, name: str) -> Record | None:
        found = (each for each in self._all() if (each.zone_id, each.name) == (zone_id, name))
        return next(found, None)

    def _all(self) -> tuple[Record, ...]:
        return (self.world.record, *self.world.others)

    def holders(self, name: str) -> tuple[Record, ...]:
        if "holders" in self.world.fail:
            raise self.world.fail["holders"]
        return tuple(each for each in self._all() if each.name == name)

    def records_at(self, target: str) -> tuple[Record, ...]:
        if "list_zones" in self.world.fail:
            raise self.world.fail["list_zones"]
        return tuple(each for each in self._all() if target.lower() in " ".join(each.values).lower().split())


@dataclass
class FakeIdentity:
    def caller(self) -> Caller:
        return Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester", REGION)
