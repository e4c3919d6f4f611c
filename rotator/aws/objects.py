"""S3: conditional writes of small objects.

Sources: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes" (If-None-Match: *, If-Match;
412 Precondition Failed when it does not hold, 409 Conflict when another write to the key is under way, 404 for If-Match
on a key that is gone).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from rotator.aws.faults import aws_faults, code_of
from rotator.domain.errors import AwsError
from rotator.domain.objects import ObjectChanged, StoredObject, Tag

_WRITE = "rotator-write"
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})
_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class BotoObjects:
    """Implements domain.objects.Objects. `kms_key`: what objects are encrypted with; None: the bucket's own setting."""

    def __init__(self, client: Any, bucket: str, kms_key: str | None = None) -> None:
        self._client = client
        self.bucket = bucket
        self._encryption: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        )

    def get(self, key: str) -> StoredObject | None:
        """The object and for how long it has been so, both in one answer of the bucket's."""
        with self._faults():
            try:
                found = self._client.get_object(Bucket=self.bucket, Key=key)
                data = found["Body"].read()
            except ClientError as fault:
                if code_of(fault) in _GONE:
                    return None
                raise
        headers = found["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return StoredObject(data, found["ETag"], (now - found["LastModified"]).total_seconds())

    def put(self, key: str, data: bytes, expected: Tag | None) -> Tag:
        """One write, which is known again by a word in its metadata: boto3 sends it anew when an answer is lost."""
        word = secrets.token_hex(16)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        with self._faults():
            try:
                done = self._client.put_object(
                    Bucket=self.bucket, Key=key, Body=data, Metadata={_WRITE: word}, **condition, **self._encryption
                )
            except ClientError as fault:
                if code_of(fault) not in _REFUSED | _GONE:
                    raise
                return self._own(key, word)
        return str(done["ETag"])

    def doubts(self) -> tuple[str, ...]:
        """What a bucket for journals should have, and this one has not, in words with the fix."""
        found = []
        try:
            with self._faults():
                versions = self._client.get_bucket_versioning(Bucket=self.bucket).get("Status")
            if versions != "Enabled":
                found.append(
                    f"bucket {self.bucket} keeps no versions: a journal that is damaged or deleted is gone. aws s3api "
                    f"put-bucket-versioning --bucket {self.bucket} --versioning-configuration Status=Enabled"
                )
            if not self._is_encrypted():
                found.append(
                    f"bucket {self.bucket} has no default encryption: set it (aws s3api put-bucket-encryption), or "
                    "[journal] kms_key_id"
                )
        except AwsError as fault:
            found.append(f"bucket {self.bucket}: versions and encryption are not known. {fault.what}")
        return tuple(found)

    def _is_encrypted(self) -> bool:
        if self._encryption:
            return True
        with self._faults():
            try:
                self._client.get_bucket_encryption(Bucket=self.bucket)
            except ClientError as fault:
                if code_of(fault) != "ServerSideEncryptionConfigurationNotFoundError":
                    raise
                return False
        return True

    def _own(self, key: str, word: str) -> Tag:
        """The tag of the object where the refused write was an earlier try of the same call. Raises ObjectChanged."""
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as fault:
            if code_of(fault) in _GONE:
                raise ObjectChanged(key) from None
            raise
        if found["Metadata"].get(_WRITE) != word:
            raise ObjectChanged(key)
        return str(found["ETag"])

    def _faults(self) -> Any:
        return aws_faults("s3", self._client.meta.endpoint_url)
