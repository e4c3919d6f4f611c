"""STS: who and where we are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.aws.faults import aws_faults
from rotator.domain.aws import Caller

if TYPE_CHECKING:
    from mypy_boto3_sts.client import STSClient


class BotoIdentity:
    """Implements Identity. The answer cannot change within a run, so AWS is asked once."""

    def __init__(self, client: STSClient) -> None:
        self._client = client
        self._caller: Caller | None = None

    def caller(self) -> Caller:
        """Account, ARN and Region; raises AwsCredentialsError when there are no credentials or they are refused."""
        if self._caller is None:
            with aws_faults("sts", self._client.meta.endpoint_url):
                answer = self._client.get_caller_identity()
            self._caller = Caller(answer["Account"], answer["Arn"], self._client.meta.region_name)
        return self._caller
