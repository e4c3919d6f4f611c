"""What uses a KMS key outside of RDS's own lists, and what each use asks of a person. Pure.

Grants are how AWS services (EBS, Backup, ...) and roles use a key without a name in its policy. RDS makes grants too,
each bound to an instance by its DbiResourceId ("Encryption context in Amazon RDS", RDS User Guide).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

RDS_INSTANCE = "aws:rds:db-id"
EBS_VOLUME = "aws:ebs:id"


@dataclass(frozen=True)
class Use:
    """One thing that needs a key: what it is, and what to do so that it no longer does."""

    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what} ({self.fix})" if self.fix else self.what


@dataclass(frozen=True)
class Grant:
    """One grant on a key (ListGrants). `context` is the encryption context that it is bound to; empty: any."""

    grant_id: str
    name: str
    grantee: str
    retiring: str | None
    operations: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LastUse:
    """The last cryptographic operation with a key that KMS knows of (GetKeyLastUsage)."""

    operation: str
    at: datetime


def by_grants(key_arn: str, grants: Iterable[Grant], known: Collection[str]) -> tuple[Use, ...]:
    """Grants as uses, but those of RDS for `known` instances (DbiResourceIds), which RDS's own lists tell of."""
    return tuple(_grant(key_arn, grant) for grant in grants if grant.context.get(RDS_INSTANCE) not in known)


def by_aliases(key_arn: str, aliases: Iterable[str], adopted: str | None) -> tuple[Use, ...]:
    """Aliases that would dangle on a deleted key: all but the one that Terraform deletes with it."""
    return tuple(
        Use(
            f"{alias}, another alias of the key",
            "what encrypts through it goes on under another key with: aws kms update-alias --alias-name "
            f"{shlex.quote(alias)} --target-key-id OTHER_KEY (what was encrypted before still needs this key); if "
            f"nothing uses it: aws kms delete-alias --alias-name {shlex.quote(alias)}",
        )
        for alias in aliases
        if alias != adopted
    )


def of_secret(secret: str) -> Use:
    """A secret that is encrypted under the key."""
    return Use(
        f"secret {secret}, which holds the tool's login",
        f"aws secretsmanager update-secret --secret-id {shlex.quote(secret)} --kms-key-id OTHER_KEY encrypts it anew",
    )


def of_log_groups(names: Iterable[str]) -> tuple[Use, ...]:
    """Log groups that are encrypted under the key."""
    return tuple(
        Use(
            f"log group {name}",
            f"aws logs associate-kms-key --log-group-name {shlex.quote(name)} --kms-key-id OTHER_KEY; what was "
            "logged before stays readable under the old key only: export it, or let its retention pass before the key "
            "goes",
        )
        for name in names
    )


def _grant(key_arn: str, grant: Grant) -> Use:
    revoke = f"aws kms revoke-grant --key-id {key_arn} --grant-id {shlex.quote(grant.grant_id)}"
    operations = ", ".join(grant.operations)
    if EBS_VOLUME in grant.context and RDS_INSTANCE not in grant.context:
        volume = grant.context[EBS_VOLUME]
        return Use(
            f"EBS volume {volume}, by a grant to {grant.grantee}",
            f"copy its snapshot under another key and replace the volume; when it is gone already: {revoke}",
        )
    bound = ", ".join(f"{name}={value}" for name, value in sorted(grant.context.items()))
    named = f" {grant.name}" if grant.name else ""
    retiring = f", retired by {grant.retiring}" if grant.retiring else ""
    return Use(
        f"grant{named} to {grant.grantee} for {operations or 'nothing'}{f' with {bound}' if bound else ''}{retiring}",
        f"find out what it is for, move that to another key, then: {revoke}",
    )
