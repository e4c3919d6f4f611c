"""S3: conditional writes (S3 User Guide, "How to prevent object overwrites with conditional writes")."""

from __future__ import annotations

import threading
from typing import Any

from moto.s3.responses import S3Response

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

CHANGES = ("put_object", "delete_object")


def _one_at_a_time(patcher: Patcher, _: Context) -> None:
    alone = threading.RLock()

    def make(original: Any) -> Any:
        def call(self: S3Response) -> Any:
            with alone:
                return original(self)

        return call

    for name in CHANGES:
        patcher.wrap(S3Response, name, make)


PATCHES = (
    Patch(
        "conditional-writes",
        "moto looks at If-Match and If-None-Match first and writes later: of writers at once, several may succeed",
        _one_at_a_time,
    ),
)
