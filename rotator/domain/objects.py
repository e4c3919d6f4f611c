"""Objects of a bucket, as far as a journal needs them: read whole, and replaced only where they still are as seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Tag = str
"""Opaque; another state of an object has another one (an ETag)."""


@dataclass(frozen=True)
class StoredObject:
    """An object's bytes with their tag. `age` is for how many seconds it has been so, by the bucket's own clock."""

    data: bytes
    tag: Tag
    age: float


class ObjectChanged(Exception):
    """The object is not as the writer expected it; nothing was changed."""


class Objects(Protocol):
    """One bucket. Methods raise AwsError where the bucket cannot be reached or refuses."""

    @property
    def bucket(self) -> str:
        """Its name."""
        ...

    def doubts(self) -> tuple[str, ...]:
        """What the bucket lacks that a journal's should have, in words with the fix."""
        ...

    def get(self, key: str) -> StoredObject | None:
        """The object; None when there is none."""
        ...

    def put(self, key: str, data: bytes, expected: Tag | None) -> Tag:
        """Replace the object where its tag is `expected` (None: where there is none); the new tag.

        Raises ObjectChanged. An answer that was lost on the way is found again: the same call never counts as somebody
        else's. After AwsError it is not known whether the object was replaced.
        """
        ...
