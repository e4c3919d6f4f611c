"""What clients see of objects that several write at once: scenarios of test_moto_gaps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from moto.s3.models import S3Backend
from moto_bench import Bench, outcome

TOGETHER_SECONDS = 0.3


def _at_once(b: Bench, write: Callable[[int], Any]) -> Any:
    """Two writers, each held up between moto's look at the condition and its write until the other is there too."""
    both = threading.Barrier(2)

    def slow(self: S3Backend, *args: Any, **kwargs: Any) -> Any:
        try:
            both.wait(TOGETHER_SECONDS)
        except threading.BrokenBarrierError:
            both.reset()  # the other is not let in: one after the other
        return real(self, *args, **kwargs)

    real = S3Backend.put_object
    with mock.patch.object(S3Backend, "put_object", slow), ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(lambda number: outcome(lambda: write(number)), range(2)))


def two_who_make_one(b: Bench) -> Any:
    b.s3.create_bucket(Bucket="team", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return _at_once(b, lambda n: b.s3.put_object(Bucket="team", Key="k", Body=b"%d" % n, IfNoneMatch="*"))


def two_who_replace_one(b: Bench) -> Any:
    b.s3.create_bucket(Bucket="team", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    tag = b.s3.put_object(Bucket="team", Key="k", Body=b"first")["ETag"]
    return _at_once(b, lambda n: b.s3.put_object(Bucket="team", Key="k", Body=b"%d" % n, IfMatch=tag))
