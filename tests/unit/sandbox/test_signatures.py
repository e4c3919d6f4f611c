"""The local AWS's look at a signature: what was signed by botocore is let in, and nothing that differs from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rotator.sandbox.aws.signatures import Refusal, Signed, check

KEY, SECRET, BODY = "SANDBOXKEY", "a secret", b"Action=DescribeDBInstances"


def signed(url: str = "http://127.0.0.1:4566/?b=2&a=1") -> dict[str, Any]:
    """A WSGI environment of a request that botocore has signed now."""
    request = AWSRequest("POST", url, {"Host": "127.0.0.1:4566", "X-Amz-Target": "RDS.x"}, BODY)
    SigV4Auth(Credentials(KEY, SECRET), "rds", "eu-central-1").add_auth(request)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    parts = urlsplit(url)
    return {"REQUEST_METHOD": "POST", "RAW_URI": f"{parts.path}?{parts.query}", **headers}


def code(environ: dict[str, Any], body: bytes = BODY, later: timedelta = timedelta()) -> str:
    found = check(environ, body, KEY, SECRET, datetime.now(UTC) + later)
    return found.code if isinstance(found, Refusal) else found.service


def test_what_was_signed_is_let_in() -> None:
    assert check(signed(), BODY, KEY, SECRET, datetime.now(UTC)) == Signed("rds")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_old_request_is_not_let_in_again(minutes: int) -> None:
    assert code(signed(), later=timedelta(minutes=minutes)) == "RequestExpired"


@pytest.mark.parametrize(
    "changed",
    [
        {"HTTP_X_AMZ_TARGET": "RDS.y"},
        {"HTTP_HOST": "evil.example:4566"},
        {"REQUEST_METHOD": "GET"},
        {"RAW_URI": "/?b=2&a=2"},
        {"RAW_URI": "/other?b=2&a=1"},
    ],
)
def test_a_request_that_was_changed_since_is_refused(changed: dict[str, str]) -> None:
    assert code({**signed(), **changed}) == "SignatureDoesNotMatch"


def test_another_body_is_refused() -> None:
    assert code(signed(), b"Action=DeleteDBInstance") == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["host", "x-amz-date"])
def test_what_must_be_signed_is_signed(name: str) -> None:
    environ = signed()
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace(f"{name};", "")
    assert code(environ) == "RequestExpired"
