"""What still needs a key (I3): named, and sorted into what may be deleted and what is kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rotator.model import AutomatedBackup, Instance, Snapshot
from rotator.naming import base_identifier

# Of the fields of a DBInstance, those that name a key; absent ones are no dependency.
_FURTHER_KEYS = {
    "PerformanceInsightsKMSKeyId": "its Performance Insights data",
    "ActivityStreamKmsKeyId": "its activity stream",
}


@dataclass(frozen=True)
class Dependents:
    """`kept`: one line for each thing that keeps the key alive; `deletable`: ids of snapshots that may be deleted."""

    kept: tuple[str, ...]
    deletable: tuple[str, ...]


def dependents(
    key_arn: str,
    *,
    snapshots: Iterable[Snapshot],
    automated_backups: Iterable[AutomatedBackup],
    instances: Iterable[Instance],
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
    kept: list[str] = [line for instance in instances for line in _uses(instance, key_arn)]
    deletable: list[str] = []
    for snapshot in snapshots:
        if not same_key(snapshot.kms_key_arn, key_arn):
            continue
        if _may_go(snapshot, base_identifier(database), globs, own):
            deletable.append(snapshot.identifier)
        else:
            kept.append(_described(snapshot))
    kept += [
        f"automated backup of instance {backup.instance_identifier} ({backup.status})"
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


def _described(snapshot: Snapshot) -> str:
    words = "cluster snapshot" if snapshot.kind.startswith("cluster-") else "snapshot"
    kind = snapshot.kind.removeprefix("cluster-")
    return f"{words} {snapshot.identifier} ({kind}, of {snapshot.instance_identifier})"


def _uses(instance: Instance, key_arn: str) -> Iterator[str]:
    if same_key(instance.kms_key_arn, key_arn):
        yield f"instance {instance.identifier} ({instance.status})"
    for field, words in _FURTHER_KEYS.items():
        if same_key(instance.raw.get(field), key_arn):
            yield f"instance {instance.identifier}: {words}"
    secret = instance.raw.get("MasterUserSecret") or {}
    if same_key(secret.get("KmsKeyId"), key_arn):
        yield f"instance {instance.identifier}: its master password's secret"
