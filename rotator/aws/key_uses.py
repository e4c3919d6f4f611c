"""Grants, secrets, log groups, last use of a KMS key: reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rotator.aws.faults import DENIED, aws_faults, code_of
from rotator.aws.uses import Grant, LastUse

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_kms.type_defs import GrantListEntryTypeDef
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

_NOT_TOLD = DENIED | {"NotFoundException", "UnknownOperationException", "UnsupportedOperationException"}
"""GetKeyLastUsage is young, not in every Region, and only a hint: without it the tool goes by the rest."""


class BotoKeyUses:
    """Implements KeyUses. `logs` is a client of CloudWatch Logs."""

    def __init__(self, kms: KMSClient, secrets: SecretsManagerClient, logs: Any) -> None:
        self._kms = kms
        self._secrets = secrets
        self._logs = logs

    def grants(self, key_arn: str) -> tuple[Grant, ...]:
        """Every grant on the key."""
        with aws_faults("kms", self._kms.meta.endpoint_url):
            pages = self._kms.get_paginator("list_grants").paginate(KeyId=key_arn)
            return tuple(_grant_of(element) for page in pages for element in page["Grants"])

    def aliases(self, key_arn: str) -> tuple[str, ...]:
        """Every alias of the key."""
        with aws_faults("kms", self._kms.meta.endpoint_url):
            pages = self._kms.get_paginator("list_aliases").paginate(KeyId=key_arn)
            return tuple(sorted(alias["AliasName"] for page in pages for alias in page["Aliases"]))

    def key_of_secret(self, secret_id: str) -> str | None:
        """ARN, id or alias of the key that a secret is under; None: Secrets Manager's own, or no such secret."""
        with aws_faults("secretsmanager", self._secrets.meta.endpoint_url):
            try:
                named = self._secrets.describe_secret(SecretId=secret_id).get("KmsKeyId")
            except ClientError as fault:
                if code_of(fault) == "ResourceNotFoundException":
                    return None
                raise
        return named

    def log_groups(self, key_arn: str) -> tuple[str, ...]:
        """Names of the log groups in this Region that are under the key."""
        with aws_faults("logs", self._logs.meta.endpoint_url):
            pages = self._logs.get_paginator("describe_log_groups").paginate()
            groups = [group for page in pages for group in page["logGroups"]]
        return tuple(sorted(str(group["logGroupName"]) for group in groups if group.get("kmsKeyId") == key_arn))

    def last_use(self, key_arn: str) -> LastUse | None:
        """When the key was last used, where KMS tells, and this boto3 knows how to ask."""
        if not hasattr(self._kms, "get_key_last_usage"):
            return None
        with aws_faults("kms", self._kms.meta.endpoint_url):
            try:
                told = self._kms.get_key_last_usage(KeyId=key_arn).get("KeyLastUsage") or {}
            except ClientError as fault:
                if code_of(fault) in _NOT_TOLD:
                    return None
                raise
        at = told.get("Timestamp")
        return LastUse(str(told.get("Operation", "an operation")), at) if at is not None else None


def _grant_of(element: GrantListEntryTypeDef) -> Grant:
    constraints = element.get("Constraints") or {}
    context = {**constraints.get("EncryptionContextSubset", {}), **constraints.get("EncryptionContextEquals", {})}
    source = constraints.get("SourceArn")
    return Grant(
        grant_id=element.get("GrantId", ""),
        name=element.get("Name", ""),
        grantee=element.get("GranteePrincipal") or element.get("GranteeServicePrincipal") or "somebody",
        retiring=element.get("RetiringPrincipal") or element.get("RetiringServicePrincipal"),
        operations=tuple(str(operation) for operation in element.get("Operations", ())),
        context={**context, **({"SourceArn": source} if source else {})},
    )
