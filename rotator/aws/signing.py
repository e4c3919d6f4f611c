"""Signs one plain request for a server that checks AWS's signatures, without a client of a service."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"


def signed_headers(url: str, credentials: tuple[str, str], service: str) -> Mapping[str, str]:
    """Headers for a GET of `url` by (key id, secret key): the secret itself is not sent."""
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(*credentials), service, REGION).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}
