"""Whether a request was signed with the sandbox's own access key: AWS Signature Version 4, from the verifying side.

Source: IAM User Guide, "AWS Signature Version 4 for API requests" (canonical request, string to sign, signing key).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from posixpath import normpath
from typing import Any
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
LONGEST_SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<key>[^/\s,]+)/(?P<scope>\d{{8}}/[^/\s,]+/(?P<service>[^/\s,]+)/aws4_request)\s*,"
    r"\s*SignedHeaders=(?P<headers>[a-z0-9;-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)
NEEDED = frozenset({"host", "x-amz-date"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused: AWS's error code, and the reason in words."""

    code: str
    why: str


@dataclass(frozen=True)
class Signed:
    """An accepted request, and the service that it was signed for, such as 'rds'."""

    service: str


def check(environ: Mapping[str, Any], body: bytes, key_id: str, secret: str, now: datetime) -> Signed | Refusal:
    """Whether to accept a WSGI request whose body has been read."""
    found = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        return Refusal("MissingAuthenticationToken", "the request is not signed (Signature Version 4, in a header)")
    if not hmac.compare_digest(found["key"].encode(), key_id.encode()):
        return Refusal("InvalidClientTokenId", "this is not the access key of this sandbox")
    names = found["headers"].split(";")
    stamp = environ.get("HTTP_X_AMZ_DATE", "")
    if not NEEDED.issubset(names) or not _recent(stamp, now):
        return Refusal("RequestExpired", "Host or X-Amz-Date is not signed, or the date is not of now")
    text = "\n".join([ALGORITHM, stamp, found["scope"], _hash(_canonical(environ, body, names, found["service"]))])
    wanted = hmac.new(_key(secret, found["scope"]), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, found["signature"]):
        return Refusal("SignatureDoesNotMatch", "the request was signed with another secret key, or changed after that")
    return Signed(found["service"])


def _recent(stamp: str, now: datetime) -> bool:
    try:
        then = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - then) <= LONGEST_SKEW


def _canonical(environ: Mapping[str, Any], body: bytes, names: list[str], service: str) -> bytes:
    sent = urlsplit(environ["RAW_URI"])
    # Amazon S3 alone does not encode its path a second time, nor take `//` and `..` out of it.
    path = sent.path if service == "s3" else quote(_normal(sent.path), safe="/~")
    pairs = sorted(each.partition("=")[::2] for each in sent.query.split("&") if each)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    headers = "".join(f"{name}:{' '.join(_header(environ, name).split())}\n" for name in names)
    parts = [environ["REQUEST_METHOD"], path or "/", query, headers, ";".join(names), hashlib.sha256(body).hexdigest()]
    return "\n".join(parts).encode()


def _normal(path: str) -> str:
    found = "/" + normpath(path or "/").lstrip("/")
    return found + "/" if path.endswith("/") and not found.endswith("/") else found


def _header(environ: Mapping[str, Any], name: str) -> str:
    plain = name.upper().replace("-", "_")
    return str(environ.get(plain if plain in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{plain}", ""))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
