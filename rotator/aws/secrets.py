"""Secrets Manager: the database's credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rotator.aws.faults import aws_faults
from rotator.domain.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


class BotoSecrets:
    """Implements Secrets. Values are in no error and no log."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._client = client

    def json_secret(self, secret_id: str) -> Mapping[str, str]:
        """The current version of a secret that holds a JSON object; numbers in it become strings.

        Raises AwsError (code secret-not-json) when it holds something else.
        """
        with aws_faults("secretsmanager", self._client.meta.endpoint_url):
            text = self._client.get_secret_value(SecretId=secret_id).get("SecretString")
        found = _parse(text)
        if not isinstance(found, dict):
            raise AwsError(
                f"Secret {secret_id} holds no JSON object.",
                why="The credentials are read from its members username and password.",
                fix='Store {"username": "...", "password": "..."} in it, as RDS itself does.',
                code="secret-not-json",
            )
        return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}


def _parse(text: str | None) -> Any:
    """The JSON value, None when there is none. No JSONDecodeError leaves here: it holds the whole text."""
    try:
        return json.loads(text or "")
    except ValueError:
        return None
