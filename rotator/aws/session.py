"""One env's AWS: a boto3 session and the facades over its clients, each built when it is first asked for."""

from __future__ import annotations

from functools import cached_property

import boto3
from botocore.config import Config

from rotator.aws.faults import aws_faults
from rotator.aws.identity import BotoIdentity
from rotator.aws.key_uses import BotoKeyUses
from rotator.aws.kms import BotoKms
from rotator.aws.objects import BotoObjects
from rotator.aws.rds import BotoRds
from rotator.aws.route53 import BotoDns
from rotator.aws.secrets import BotoSecrets
from rotator.config.rules import bucket_of
from rotator.config.schema import AwsConfig, JournalConfig

CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 8
OBJECT_SECONDS, OBJECT_ATTEMPTS = 4, 3
"""With botocore's doubling delays about three seconds in all: a blip passes, a dead endpoint is told soon."""


class Aws:
    """Clients with adaptive retries and timeouts. Raises AwsCredentialsError when the profile does not exist.

    `credentials` (key id, secret key) overrule the SDK's own sources. An `endpoint_url` counts for every service;
    without one AWS_ENDPOINT_URL and botocore's own rules hold.
    """

    def __init__(self, config: AwsConfig, credentials: tuple[str, str] | None = None) -> None:
        self._endpoint = config.endpoint_url
        self._options = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
        )
        with aws_faults("sts", self._endpoint):
            key_id, secret = credentials or (None, None)
            self._session = boto3.Session(
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                region_name=config.region,
                profile_name=config.profile,
            )

    @cached_property
    def rds(self) -> BotoRds:
        """RDS."""
        with aws_faults("rds", self._endpoint):
            return BotoRds(self._session.client("rds", endpoint_url=self._endpoint, config=self._options))

    @cached_property
    def kms(self) -> BotoKms:
        """KMS."""
        with aws_faults("kms", self._endpoint):
            client = self._session.client("kms", endpoint_url=self._endpoint, config=self._options)
        return BotoKms(client, account=lambda: self.identity.caller().account)

    @cached_property
    def key_uses(self) -> BotoKeyUses:
        """What uses a key: KMS, Secrets Manager, CloudWatch Logs."""
        with aws_faults("kms", self._endpoint):
            return BotoKeyUses(
                self._session.client("kms", endpoint_url=self._endpoint, config=self._options),
                self._session.client("secretsmanager", endpoint_url=self._endpoint, config=self._options),
                self._session.client("logs", endpoint_url=self._endpoint, config=self._options),
            )

    def objects(self, journal: JournalConfig) -> BotoObjects:
        """The journal's bucket. A lease that is renewed every few seconds cannot wait for an answer for minutes."""
        endpoint = journal.endpoint_url or self._endpoint
        options = self._options.merge(
            Config(
                connect_timeout=OBJECT_SECONDS,
                read_timeout=OBJECT_SECONDS,
                retries={"mode": "standard", "total_max_attempts": OBJECT_ATTEMPTS},
                s3={"addressing_style": "path"} if endpoint else {},
            )
        )
        with aws_faults("s3", endpoint):
            client = self._session.client("s3", region_name=journal.region, endpoint_url=endpoint, config=options)
        return BotoObjects(client, bucket_of(journal.s3 or ""), journal.kms_key_id)

    @cached_property
    def dns(self) -> BotoDns:
        """Route 53."""
        with aws_faults("route53", self._endpoint):
            return BotoDns(self._session.client("route53", endpoint_url=self._endpoint, config=self._options))

    @cached_property
    def identity(self) -> BotoIdentity:
        """STS."""
        with aws_faults("sts", self._endpoint):
            return BotoIdentity(self._session.client("sts", endpoint_url=self._endpoint, config=self._options))

    @cached_property
    def secrets(self) -> BotoSecrets:
        """Secrets Manager."""
        with aws_faults("secretsmanager", self._endpoint):
            return BotoSecrets(
                self._session.client("secretsmanager", endpoint_url=self._endpoint, config=self._options)
            )
