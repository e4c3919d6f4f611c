"""What the steps need of the kind of deployment that a rotation moves: an instance today, others later.

A deployment is what AWS shows under one identifier, one endpoint and one key: an instance, an instance with its
replicas, a cluster. Its kind knows AWS's calls and fields for it; steps know neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rotator.aws.logs import LogFile
from rotator.domain.aws import Deployment, Quota, Snapshot
from rotator.domain.json_object import JsonObject


@dataclass(frozen=True)
class Need:
    """A quota of the account, and how much of it a rotation takes."""

    quota: Quota
    needed: int

    @property
    def fits(self) -> bool:
        """Whether there is enough left."""
        return self.quota.used + self.needed <= self.quota.maximum


@dataclass(frozen=True)
class Traits:
    """What clients of a deployment depend on: log-ins by IAM, the authority of its certificate, a password that RDS
    manages (ARN of its secret; None where it manages none).
    """

    iam_authentication: bool
    certificate_authority: str | None
    managed_secret: str | None


class Topology(Protocol):
    """One kind of deployment. Methods that ask AWS raise AwsError; the others are pure."""

    @property
    def kind(self) -> str:
        """For people: 'instance'."""
        ...

    @property
    def in_force_field(self) -> str:
        """The word in [rotation] parity_ignore by which green may start with what waits for a restart of blue."""
        ...

    # --- AWS ---
    def find(self, identifier: str) -> Deployment | None:
        """The deployment of that name; None when there is none."""
        ...

    def modify(self, identifier: str, settings: Mapping[str, Any]) -> None:
        """Set what `mends` gave, at once."""
        ...

    def snapshot(self, identifier: str) -> Snapshot | None: ...
    def create_snapshot(self, deployment: str, identifier: str, tags: Mapping[str, str]) -> Snapshot: ...
    def copy_snapshot(
        self, source: Snapshot, identifier: str, kms_key_arn: str, tags: Mapping[str, str]
    ) -> Snapshot: ...
    def delete_snapshot(self, identifier: str) -> None: ...

    def needs(self) -> tuple[Need, ...]:
        """What a rotation takes of the account's quotas."""
        ...

    def log_files(self, deployment: str) -> tuple[LogFile, ...]: ...
    def log_lines(self, deployment: str, name: str) -> Iterator[str]: ...
    def log_tail(self, deployment: str, name: str, lines: int = 1000) -> tuple[str, ...]: ...

    # --- Terraform ---
    def address(self, generation: str) -> str:
        """Terraform's address of a generation's deployment."""
        ...

    def as_adopted(self, blue: Deployment) -> JsonObject:
        """Blue's settings for the root that imports it."""
        ...

    def as_green(self, blue: Deployment, new_key_arn: str | None) -> JsonObject:
        """Blue's settings for green: what names blue's key names the new one. None: there is no other key."""
        ...

    # --- rules ---
    def not_of_this_kind(self, found: Deployment) -> tuple[str, ...]:
        """What shows that it is more than this kind, or a part of something; empty when it is of this kind."""
        ...

    def traits(self, found: Deployment) -> Traits:
        """What clients of it depend on."""
        ...

    def differences(self, blue: Deployment, green: Deployment, given_tags: Mapping[str, str]) -> tuple[str, ...]:
        """Each setting of blue that green does not have, as 'Field: blue=... green=...'."""
        ...

    def compared(self, blue: Deployment) -> int:
        """How many fields `differences` looks at."""
        ...

    def mends(self, blue: Deployment, differing: Collection[str]) -> Mapping[str, Any]:
        """Settings for `modify` that give green what it lacks of these fields; empty: nothing can be given so."""
        ...

    def lost(self, blue: Deployment, accepted: Collection[str]) -> tuple[str, ...]:
        """Fields that green would lack for good, but the accepted ones."""
        ...

    def not_carried(self, blue: Deployment) -> tuple[str, ...]:
        """What blue has and Terraform cannot give to green, in words."""
        ...

    def not_in_force(self, blue: Deployment) -> tuple[str, ...]:
        """Groups that are attached to blue and not in force yet, or no longer, in words."""
        ...
