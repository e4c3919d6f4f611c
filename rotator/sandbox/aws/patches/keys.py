"""How RDS uses KMS keys: resolved to ARNs, refused when they cannot be used, kept by copies."""

from __future__ import annotations

from typing import Any

from moto.kms.models import KmsBackend
from moto.rds.exceptions import KMSKeyNotAccessibleFault
from moto.rds.models import RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

DEFAULT_ALIAS = "alias/aws/rds"


def usable_key(backend: RDSBackend, key_id: str) -> Any:
    """The enabled symmetric key behind an id, ARN or alias. Raises KMSKeyNotAccessibleFault."""
    region = key_id.split(":")[3] if key_id.startswith("arn:") else backend.region_name
    if region != backend.region_name:
        raise KMSKeyNotAccessibleFault(key_id)
    key = find_key(backend.kms, key_id)
    if key is None or key.key_state != "Enabled" or key.key_spec != "SYMMETRIC_DEFAULT":
        raise KMSKeyNotAccessibleFault(key_id)
    return key


def find_key(kms: KmsBackend, key_id: str) -> Any:
    """The key behind an id, ARN or alias, in whatever state; None when there is none."""
    name = kms.get_alias_name(key_id)
    raw = kms.get_key_id_from_alias(name) if name.startswith("alias/") else kms.get_key_id(name)
    return kms.keys.get(raw) if raw else None


def _usable_keys_only(patcher: Patcher, _: Context) -> None:
    patcher.put(RDSBackend, "_validate_kms_key", lambda self, key_id: usable_key(self, key_id).arn)

    def make_create(original: Any) -> Any:
        def create_db_instance(self: RDSBackend, db_kwargs: Any) -> Any:
            if db_kwargs.get("kms_key_id") and not db_kwargs.get("storage_encrypted"):
                raise KMSKeyNotAccessibleFault(db_kwargs["kms_key_id"])
            if db_kwargs.get("storage_encrypted"):
                db_kwargs["kms_key_id"] = usable_key(self, db_kwargs.get("kms_key_id") or DEFAULT_ALIAS).arn
            return original(self, db_kwargs)

        return create_db_instance

    patcher.wrap(RDSBackend, "create_db_instance", make_create)


def _copies_keep_their_key(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def copy_db_snapshot(self: RDSBackend, source_db_snapshot_identifier: str, **kwargs: Any) -> Any:
            source = self.get_db_snapshot(source_db_snapshot_identifier)
            if source.kms_key_id:
                usable_key(self, source.kms_key_id)
                kwargs["kms_key_id"] = kwargs.get("kms_key_id") or source.kms_key_id
            target = original(self, source_db_snapshot_identifier=source_db_snapshot_identifier, **kwargs)
            if not kwargs.get("tags") and not kwargs.get("copy_tags"):
                target.tags = []
            return target

        return copy_db_snapshot

    patcher.wrap(RDSBackend, "copy_db_snapshot", make)


def _managed_by_aws(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def _generate_default_keys(self: KmsBackend, alias_name: str) -> Any:
            key_id = original(self, alias_name)
            if key_id is not None:
                self.keys[key_id].key_manager = "AWS"
                self.keys[key_id].key_rotation_status = True
            return key_id

        return _generate_default_keys

    patcher.wrap(KmsBackend, "_generate_default_keys", make)


PATCHES = (
    Patch(
        "usable-keys-only",
        "moto takes disabled, pending and missing keys, and keeps an alias; RDS keeps an enabled key's ARN",
        _usable_keys_only,
    ),
    Patch(
        "copies-keep-their-key",
        "moto gives a copy of a copy the instance's key, and copies under a disabled source key",
        _copies_keep_their_key,
    ),
    Patch("managed-by-aws", "moto calls the AWS managed key alias/aws/rds customer managed", _managed_by_aws),
)
