"""KMS: what a key is. Keys are made and retired by Terraform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from rotator.aws.faults import DENIED, aws_faults, code_of
from rotator.aws.tags import own_tags
from rotator.domain.aws import Key

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

T = TypeVar("T")

UNSUPPORTED = frozenset({"UnsupportedOperationException", "KMSInvalidStateException"})
"""Asymmetric and HMAC keys have no rotation; a key that is pending deletion or import answers some calls no more."""


class BotoKms:
    """Implements Kms. `account` tells our own account id; it is asked only when AWS denies something."""

    def __init__(self, client: KMSClient, account: Callable[[], str]) -> None:
        self._client = client
        self._account = account

    def key(self, key: str) -> Key | None:
        """A key by its id, ARN, or alias/NAME; None when there is none.

        `policy` is the string that GetKeyPolicy gives. Of AWS managed keys and of other accounts' keys, what may not
        be read is None, empty or false; of our own keys a denied read is an AwsError: guessing would lose a policy.
        """
        with aws_faults("kms", self._client.meta.endpoint_url):
            try:
                metadata = self._client.describe_key(KeyId=key)["KeyMetadata"]
            except ClientError as fault:
                if code_of(fault) == "NotFoundException":
                    return None
                raise
            return self._described(metadata)

    def _described(self, metadata: KeyMetadataTypeDef) -> Key:
        arn = metadata["Arn"]
        manager = str(metadata.get("KeyManager", "CUSTOMER"))

        def read(call: Callable[[str], T], otherwise: T) -> T:
            return self._readable(lambda: call(arn), otherwise, foreign=manager == "AWS", arn=arn)

        unknown: tuple[bool, int | None] = (False, None)
        enabled, period = read(self._rotation, unknown)
        return Key(
            key_id=metadata["KeyId"],
            arn=arn,
            state=str(metadata.get("KeyState", "")),
            manager=manager,
            description=metadata.get("Description", ""),
            multi_region=metadata.get("MultiRegion", False),
            aliases=read(self._aliases, ()),
            policy=read(self._policy, None),
            rotation_enabled=enabled,
            rotation_period_in_days=period,
            deletion_date=metadata.get("DeletionDate"),
            tags=read(self._tags, {}),
        )

    def _readable(self, call: Callable[[], T], otherwise: T, *, foreign: bool, arn: str) -> T:
        try:
            return call()
        except ClientError as fault:
            code = code_of(fault)
            if code in UNSUPPORTED:
                return otherwise
            # ListAliases and its kin work on keys of the own account only, and say NotFound or InvalidArn for others.
            if code in DENIED | {"NotFoundException", "InvalidArnException"} and (foreign or self._foreign(arn)):
                return otherwise
            raise

    def _foreign(self, arn: str) -> bool:
        return arn.split(":")[4] != self._account()

    def _rotation(self, arn: str) -> tuple[bool, int | None]:
        answer = self._client.get_key_rotation_status(KeyId=arn)
        enabled = answer["KeyRotationEnabled"]
        return enabled, answer.get("RotationPeriodInDays") if enabled else None

    def _policy(self, arn: str) -> str | None:
        return self._client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]

    def _aliases(self, arn: str) -> tuple[str, ...]:
        pages = self._client.get_paginator("list_aliases").paginate(KeyId=arn)
        return tuple(sorted(alias["AliasName"] for page in pages for alias in page["Aliases"]))

    def _tags(self, arn: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_resource_tags").paginate(KeyId=arn)
        return own_tags((tag["TagKey"], tag["TagValue"]) for page in pages for tag in page["Tags"])
