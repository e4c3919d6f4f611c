"""What still needs a key (I3): named, and sorted into what may be deleted and what is kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rotator.aws.uses import Use
from rotator.domain.aws import AutomatedBackup, Deployment, Snapshot
from rotator.domain.naming import base_identifier

# Of the fields of a DBInstance, those that name a key; absent ones are no dependency.
_FURTHER_KEYS = {
    "PerformanceInsightsKMSKeyId": (
        "its Performance Insights data",
        "that key can never be changed: turn Performance Insights off there, or give the instance a rotation",
    ),
    "ActivityStreamKmsKeyId": ("its activity stream", "stop the stream, and start it again under another key"),
}


@dataclass(frozen=True)
class Dependents:
    """`uses`: everything that keeps the key alive; `deletable`: ids of snapshots that may be deleted."""

    uses: tuple[Use, ...]
    deletable: tuple[str, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """What keeps the key alive, one line each."""
        return tuple(use.what for use in self.uses)


def dependents(
    key_arn: str,
    *,
    snapshots: Iterable[Snapshot],
    automated_backups: Iterable[AutomatedBackup],
    instances: Iterable[Deployment],
    database: str,
    delete_globs: Iterable[str],
    own_snapshots: Iterable[str],
) -> Dependents:
    """Everything under `key_arn`, each either kept or deletable; what lies under another key is in neither.

    Deletable are manual instance snapshots that the rotation made itself (`own_snapshots`, ids) or that a glob of
    [retire] delete_snapshots matches (case counts, whole id), of `database` (an instance identifier) in any of its
    generations: another database may share the key. RDS deletes automated snapshots only with their backup,
    AWS Backup's only through AWS Backup; both are kept, and so are clusters' snapshots.
    """
    globs, own = tuple(delete_globs), frozenset(own_snapshots)
    kept: list[Use] = [use for instance in instances for use in _uses(instance, key_arn)]
    deletable: list[str] = []
    for snapshot in snapshots:
        if not same_key(snapshot.kms_key_arn, key_arn):
            continue
        if _may_go(snapshot, base_identifier(database), globs, own):
            deletable.append(snapshot.identifier)
        else:
            kept.append(_described(snapshot))
    kept += [
        Use(
            f"automated backup of instance {backup.instance_identifier} ({backup.status})",
            "it goes with its instance, or with its retention; a retained one by: "
            f"aws rds delete-db-instance-automated-backup --dbi-resource-id {backup.resource_id}",
        )
        for backup in automated_backups
        if same_key(backup.kms_key_arn, key_arn)
    ]
    return Dependents(tuple(kept), tuple(deletable))


def same_key(left: str | None, right: str | None) -> bool:
    """Whether both name one KMS key: ARNs of one Region and account compare whole, a bare id with an ARN by the id."""
    if left is None or right is None:
        return False
    if left.startswith("arn:") and right.startswith("arn:"):
        return left == right
    return left.rpartition("/")[2] == right.rpartition("/")[2]


def _may_go(snapshot: Snapshot, base: str, globs: tuple[str, ...], own: frozenset[str]) -> bool:
    if snapshot.kind != "manual" or base_identifier(snapshot.instance_identifier) != base:
        return False
    return snapshot.identifier in own or any(fnmatchcase(snapshot.identifier, glob) for glob in globs)


def _described(snapshot: Snapshot) -> Use:
    words = "cluster snapshot" if snapshot.kind.startswith("cluster-") else "snapshot"
    kind = snapshot.kind.removeprefix("cluster-")
    return Use(f"{words} {snapshot.identifier} ({kind}, of {snapshot.instance_identifier})", _advice(words, kind))


def _advice(words: str, kind: str) -> str:
    if kind == "awsbackup":
        return "copy or delete its recovery point in AWS Backup"
    if kind == "automated":
        return "it goes with its backup's retention"
    also = " or let a pattern of [retire] delete_snapshots match it" if words == "snapshot" else ""
    return f"copy it under another key if it must stay, then delete it{also}"


def _uses(instance: Deployment, key_arn: str) -> Iterator[Use]:
    name = instance.identifier
    if same_key(instance.kms_key_arn, key_arn):
        yield Use(f"instance {name} ({instance.status})", "give it a rotation of its own, or delete it")
    for field, (words, fix) in _FURTHER_KEYS.items():
        if same_key(instance.raw.get(field), key_arn):
            yield Use(f"instance {name}: {words}", fix)
    secret = instance.raw.get("MasterUserSecret") or {}
    if same_key(secret.get("KmsKeyId"), key_arn):
        yield Use(
            f"instance {name}: its master password's secret",
            f"aws secretsmanager update-secret --secret-id {secret.get('SecretArn', 'ARN')} --kms-key-id OTHER_KEY",
        )
