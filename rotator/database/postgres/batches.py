"""Work on many objects, in batches: the lock on each has a place in the server's lock table until its transaction ends.

That table has room for max_locks_per_transaction times the number of possible sessions, all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

BATCH = 100


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[tuple[T, ...]]:
    """The items in order, so many at a time."""
    left = iter(items)
    while batch := tuple(islice(left, size)):
        yield batch
