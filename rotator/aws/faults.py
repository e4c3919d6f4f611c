"""botocore's exceptions as this project's errors: the one place that knows both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from rotator.domain.errors import AwsCredentialsError, AwsError, AwsUnreachable

_LONGEST_MESSAGE = 600
_DENIED_ACTION = re.compile(r"not authorized to perform:?\s+([a-z0-9-]+:[A-Za-z]+)")

REFUSED_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset(
    {
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.NoAuthTokenError,
)
_UNREACHABLE = (boto.ConnectionError, boto.HTTPClientError)
"""The bases of EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, SSLError, ProxyConnectionError."""


@contextmanager
def aws_faults(service: str, endpoint: str | None = None) -> Iterator[None]:
    """Raise AwsError and its kin instead of botocore's exceptions. `service` is the IAM prefix, such as 'rds'."""
    try:
        yield
    except ClientError as fault:
        raise from_client_error(service, fault) from fault
    except BotoCoreError as fault:
        raise from_botocore_error(service, fault, endpoint) from fault


def code_of(fault: ClientError) -> str:
    """The API's error code, without the suffix 'Fault' that some services add."""
    return str(fault.response.get("Error", {}).get("Code", "")).removesuffix("Fault")


def from_client_error(service: str, fault: ClientError) -> AwsError:
    """An error that AWS answered with."""
    code, operation = code_of(fault), fault.operation_name
    message = str(fault.response.get("Error", {}).get("Message", "")).strip()[:_LONGEST_MESSAGE]
    why = f"{code}: {message}" if message else code
    if code in REFUSED_CREDENTIALS:
        fix = "Log in, then run it again." if code in EXPIRED else "Check AWS_PROFILE and the AWS_* keys."
        what = "The AWS credentials have expired." if code in EXPIRED else "AWS refuses the credentials."
        return AwsCredentialsError(what, why=why, fix=fix)
    if code in DENIED:
        named = _DENIED_ACTION.search(message)
        action = named.group(1) if named else f"{service}:{operation}"
        return AwsError(
            f"AWS does not allow {action}.",
            why=why,
            fix=f"Let the identity's policy (and, for kms, the key's policy) allow {action}.",
            code="aws-access-denied",
        )
    return _answered(service, operation, code, why, _status(fault))


def _answered(service: str, operation: str, code: str, why: str, status: int) -> AwsError:
    call = f"{service}:{operation}"
    if code in THROTTLED:
        fix = "Wait a little and run it again; other programs in this account may make many calls."
        return AwsError(f"AWS throttles {call}, after several tries.", why=why, fix=fix, code="aws-throttled")
    if code.startswith("KMSKey"):
        fix = "Let the key's policy allow kms:DescribeKey and kms:CreateGrant (for AWS resources), and enable the key."
        return AwsError(f"RDS cannot use the KMS key in {call}.", why=why, fix=fix, code="aws-key-not-accessible")
    if "QuotaExceeded" in code or "LimitExceeded" in code:
        fix = "Request a higher quota (Service Quotas), or remove unused resources, then run it again."
        return AwsError(f"An AWS quota stops {call}.", why=why, fix=fix, code="aws-quota")
    if status >= 500:
        fix = "Run it again; if it fails again, see the AWS Health Dashboard."
        return AwsError(
            f"AWS has an internal error in {call}, after several tries.", why=why, fix=fix, code="aws-service"
        )
    return AwsError(f"AWS refused {call}.", why=why, fix="Fix the cause in the message, then run it again.")


def _status(fault: ClientError) -> int:
    return int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def from_botocore_error(service: str, fault: BotoCoreError, endpoint: str | None = None) -> AwsError:
    """An error that botocore raises before or instead of an answer."""
    why = str(fault)[:_LONGEST_MESSAGE]
    if isinstance(fault, _NO_CREDENTIALS):
        return AwsCredentialsError(
            "There are no usable AWS credentials.",
            why=why,
            fix="Set AWS_PROFILE (or [aws] profile), or the AWS_* variables, or log in (aws sso login).",
        )
    if isinstance(fault, _UNREACHABLE):
        where = endpoint or "the AWS endpoint"
        return AwsUnreachable(
            f"No answer from {where} ({service}).",
            why=why,
            fix="Check network, proxy, [aws] endpoint_url and AWS_ENDPOINT_URL; for the sandbox: is it running?",
        )
    fix = "Check [aws] in rotation.toml and the AWS_* variables."
    return AwsError(f"The AWS client cannot make the {service} call.", why=why, fix=fix, code="aws-client")
