"""The KMS API itself: key states, rotation periods, ARNs (KMS Developer Guide, "Key states of AWS KMS keys")."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import unix_time, utcnow
from moto.kms.exceptions import ValidationException
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

NEEDS_ENABLED = ("encrypt", "generate_data_key", "create_grant", "enable_key_rotation", "sign", "generate_mac")
NOT_WHILE_PENDING = (
    "enable_key",
    "disable_key",
    "schedule_key_deletion",
    "update_key_description",
    "disable_key_rotation",
    "tag_resource",
    "untag_resource",
)
TAKES_ARNS = ("enable_key", "disable_key", "cancel_key_deletion", "schedule_key_deletion")
ROTATION_PERIOD = range(90, 2561)
DELETION_WINDOW = range(7, 31)
USUAL_PERIOD = 365


def _key_usage(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def create_key(self: KmsBackend, policy: Any, key_usage: Any, *args: Any, **kwargs: Any) -> Any:
            return original(self, policy, key_usage or "ENCRYPT_DECRYPT", *args, **kwargs)

        return create_key

    patcher.wrap(KmsBackend, "create_key", make)


def _key_arns(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def call(self: KmsBackend, key_id: str, *args: Any) -> Any:
            return original(self, self.get_key_id(key_id), *args)

        return call

    for name in TAKES_ARNS:
        patcher.wrap(KmsBackend, name, make)


def _key_states(patcher: Patcher, _: Context) -> None:
    def needs_enabled(original: Any) -> Any:
        def call(self: KmsBackend, key_id: str, *args: Any, **kwargs: Any) -> Any:
            _require_enabled(self.keys[self.any_id_to_key_id(key_id)])
            return original(self, key_id, *args, **kwargs)

        return call

    def not_while_pending(original: Any) -> Any:
        def call(self: KmsBackend, key_id: str, *args: Any, **kwargs: Any) -> Any:
            _refuse_pending(self.keys[self.get_key_id(key_id)])
            return original(self, key_id, *args, **kwargs)

        return call

    for name in NEEDS_ENABLED:
        patcher.wrap(KmsBackend, name, needs_enabled)
    for name in NOT_WHILE_PENDING:
        patcher.wrap(KmsBackend, name, not_while_pending)
    patcher.wrap(KmsBackend, "decrypt", _decrypt)
    patcher.wrap(KmsBackend, "create_alias", _create_alias)
    patcher.wrap(KmsBackend, "cancel_key_deletion", _cancel)
    patcher.wrap(KmsBackend, "schedule_key_deletion", _schedule)


def _decrypt(original: Any) -> Any:
    def decrypt(self: KmsBackend, *args: Any, **kwargs: Any) -> Any:
        plaintext, arn = original(self, *args, **kwargs)
        _require_enabled(self.keys[self.get_key_id(arn)])
        return plaintext, arn

    return decrypt


def _create_alias(original: Any) -> Any:
    def create_alias(self: KmsBackend, target_key_id: str, alias_name: str) -> Any:
        _refuse_pending(self.keys[self.get_key_id(target_key_id)])
        return original(self, target_key_id, alias_name)

    return create_alias


def _cancel(original: Any) -> Any:
    def cancel_key_deletion(self: KmsBackend, key_id: str) -> Any:
        key = self.keys[self.get_key_id(key_id)]
        if key.key_state != "PendingDeletion":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
        return original(self, key_id)

    return cancel_key_deletion


def _schedule(original: Any) -> Any:
    def schedule_key_deletion(self: KmsBackend, key_id: str, pending_window_in_days: int) -> Any:
        if pending_window_in_days not in DELETION_WINDOW:
            raise ValidationException(
                f"1 validation error detected: Value '{pending_window_in_days}' at 'pendingWindowInDays' failed to "
                "satisfy constraint: Member must have value between 7 and 30"
            )
        return original(self, key_id, pending_window_in_days)

    return schedule_key_deletion


def _require_enabled(key: Any) -> None:
    _refuse_pending(key)
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")


def _refuse_pending(key: Any) -> None:
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _rotation_period(patcher: Patcher, _: Context) -> None:
    def make_enable(original: Any) -> Any:
        def enable_key_rotation(self: Any) -> str:
            period = self._get_param("RotationPeriodInDays")
            if period is not None and period not in ROTATION_PERIOD:
                raise ValidationException(
                    f"1 validation error detected: Value '{period}' at 'rotationPeriodInDays' failed to satisfy "
                    "constraint: Member must have value between 90 and 2560"
                )
            answer: str = original(self)
            key = self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]
            key.rotation_period = period or getattr(key, "rotation_period", USUAL_PERIOD)
            return answer

        return enable_key_rotation

    def make_status(original: Any) -> Any:
        def get_key_rotation_status(self: Any) -> str:
            answer = json.loads(original(self))
            key = self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]
            answer["KeyId"] = key.id
            if answer["KeyRotationEnabled"]:
                period = getattr(key, "rotation_period", USUAL_PERIOD)
                answer["RotationPeriodInDays"] = period
                answer["NextRotationDate"] = unix_time(utcnow() + timedelta(days=period))
            return json.dumps(answer)

        return get_key_rotation_status

    patcher.wrap(KmsResponse, "enable_key_rotation", make_enable)
    patcher.wrap(KmsResponse, "get_key_rotation_status", make_status)


def _last_usage(patcher: Patcher, _: Context) -> None:
    def noted(original: Any, operation: str) -> Any:
        def call(self: KmsBackend, key_id: str, *args: Any, **kwargs: Any) -> Any:
            answer = original(self, key_id, *args, **kwargs)
            key: Any = self.keys[self.any_id_to_key_id(key_id)]
            key.last_usage = (operation, unix_time(utcnow()))
            return answer

        return call

    def get_key_last_usage(self: Any) -> str:
        key = self.kms_backend.keys[self.kms_backend.any_id_to_key_id(self._get_param("KeyId"))]
        since = key.creation_date
        told: dict[str, Any] = {"KeyId": key.id, "KeyCreationDate": since, "TrackingStartDate": since}
        if hasattr(key, "last_usage"):
            told["KeyLastUsage"] = {"Operation": key.last_usage[0], "Timestamp": key.last_usage[1]}
        return json.dumps(told)

    patcher.wrap(KmsBackend, "encrypt", lambda original: noted(original, "Encrypt"))
    patcher.wrap(KmsBackend, "generate_data_key", lambda original: noted(original, "GenerateDataKey"))
    patcher.put(KmsResponse, "get_key_last_usage", get_key_last_usage)


PATCHES = (
    Patch("key-usage", "moto leaves KeyUsage empty; Terraform then wants to replace an imported key", _key_usage),
    Patch("key-arns", "moto's DisableKey and its kin take bare ids only; KMS takes ARNs too", _key_arns),
    Patch("last-usage", "moto does not know GetKeyLastUsage", _last_usage),
    Patch("key-states", "moto lets disabled and pending keys encrypt, decrypt and be granted", _key_states),
    Patch(
        "rotation-period", "moto forgets RotationPeriodInDays: a perpetual difference for Terraform", _rotation_period
    ),
)
