"""Logins of instances whose master password RDS manages: each instance has a secret, and so a password, of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rotator.aws.interface import Rds, Secrets
from rotator.domain.aws import Deployment

KEPT_SECONDS = 60.0
"""RDS renews a managed password every week by itself: one that was read long ago is no longer the password."""

_OWNER = "rds!"
"""How names of the secrets that RDS manages begin (RDS User Guide, "Password management with Secrets Manager")."""


def is_managed(secret_id: str | None) -> bool:
    """Whether a secret's name or ARN is of one that RDS manages for an instance."""
    return secret_id is not None and secret_id.rpartition(":secret:")[2].startswith(_OWNER)


def secret_of(instance: Deployment | None) -> str | None:
    """ARN of the secret that RDS manages for an instance; None when it manages none."""
    managed = instance.raw.get("MasterUserSecret") if instance is not None else None
    return str(managed["SecretArn"]) if managed and managed.get("SecretArn") else None


@dataclass
class ManagedLogins:
    """The login of the instance at an address, read when it is asked for and kept for a minute."""

    rds: Rds
    secrets: Secrets
    clock: Callable[[], float] = time.monotonic
    _read: dict[str, tuple[float, Mapping[str, str]]] = field(default_factory=dict, repr=False)

    def of(self, address: str) -> Mapping[str, str] | None:
        """Members of that instance's own secret (username, password); None when there is no such instance or secret."""
        known = self._read.get(address)
        if known is not None and self.clock() - known[0] < KEPT_SECONDS:
            return known[1]
        found = next((each for each in self.rds.instances() if (each.address or "").lower() == address.lower()), None)
        arn = secret_of(found)
        if arn is None:
            return None
        members = self.secrets.json_secret(arn)
        self._read[address] = (self.clock(), members)
        return members
