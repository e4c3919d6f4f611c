"""S3's conditional writes through boto3, and answers that are lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto_bench import REGION, Bench, services

from rotator.aws.objects import BotoObjects
from rotator.domain.errors import AwsError
from rotator.domain.objects import ObjectChanged


@pytest.fixture
def local() -> Iterator[Bench]:
    with services() as bench:
        bench.s3.create_bucket(Bucket="team", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield bench


class Retrying:
    """A client whose first answer to a put is lost, so that it sends the same request again, as boto3 does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.between: Any = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **request: Any) -> Any:
        self._client.put_object(**request)
        self.between()
        return self._client.put_object(**request)


def test_what_is_written_is_read_with_its_age(local: Bench) -> None:
    objects = BotoObjects(local.s3, "team")
    assert objects.get("k") is None
    tag = objects.put("k", b"one", None)
    found = objects.get("k")
    assert found is not None
    assert (found.data, found.tag) == (b"one", tag)
    assert -2 <= found.age <= 60


@pytest.mark.parametrize("expected", ['"another"', None])
def test_only_what_is_expected_is_replaced(local: Bench, expected: str | None) -> None:
    objects = BotoObjects(local.s3, "team")
    objects.put("k", b"one", None)
    with pytest.raises(ObjectChanged):
        objects.put("k", b"two", expected)
    found = objects.get("k")
    assert found is not None
    assert found.data == b"one"


def test_what_is_gone_is_not_made_again(local: Bench) -> None:
    with pytest.raises(ObjectChanged):
        BotoObjects(local.s3, "team").put("k", b"one", '"of another time"')


@pytest.mark.parametrize("there", [False, True])
def test_a_write_whose_answer_was_lost_is_known_again(local: Bench, there: bool) -> None:
    tag = BotoObjects(local.s3, "team").put("k", b"before", None) if there else None
    objects = BotoObjects(Retrying(local.s3), "team")
    written = objects.put("k", b"mine", tag)
    found = objects.get("k")
    assert found is not None
    assert (found.data, found.tag) == (b"mine", written)


def test_somebody_elses_write_after_ours_is_not_taken_for_ours(local: Bench) -> None:
    """Ours arrived, its answer was lost, and another has replaced it since: what we wrote is there no more."""
    client = Retrying(local.s3)
    client.between = lambda: local.s3.put_object(Bucket="team", Key="k", Body=b"theirs")
    with pytest.raises(ObjectChanged):
        BotoObjects(client, "team").put("k", b"mine", None)


def test_other_refusals_are_told(local: Bench) -> None:
    nowhere = BotoObjects(local.s3, "none")
    for act in (lambda: nowhere.put("k", b"x", None), lambda: nowhere.get("k")):
        with pytest.raises(AwsError, match="s3:"):
            act()


def test_objects_are_encrypted_with_the_key_that_is_named(local: Bench) -> None:
    key = local.key()
    BotoObjects(local.s3, "team", key).put("k", b"one", None)
    found = local.s3.head_object(Bucket="team", Key="k")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)


def test_what_a_bucket_lacks_is_said_with_the_fix(local: Bench) -> None:
    objects = BotoObjects(local.s3, "team")
    assert any("put-bucket-versioning --bucket team" in line for line in objects.doubts())
    local.s3.put_bucket_versioning(Bucket="team", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    local.s3.put_bucket_encryption(Bucket="team", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert objects.doubts() == ()
    local.s3.delete_bucket_encryption(Bucket="team")
    assert any("encryption" in line for line in objects.doubts())
    assert BotoObjects(local.s3, "team", local.key()).doubts() == ()
    assert any("not known" in line for line in BotoObjects(local.s3, "none").doubts())
