"""A bucket in memory, as atomic as S3, whose answers a test can delay, lose or refuse."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rotator.domain.errors import AwsUnreachable
from rotator.domain.objects import ObjectChanged, StoredObject, Tag


@dataclass
class Shared:
    """What several clients see. `now` is the bucket's own clock."""

    now: Callable[[], float]
    found: dict[str, tuple[bytes, Tag, float]] = field(default_factory=dict)
    alone: threading.Lock = field(default_factory=threading.Lock)
    tags: itertools.count[int] = field(default_factory=itertools.count)
    puts: int = 0


@dataclass
class MemoryObjects:
    """Implements domain.objects.Objects for one client. `lose` says of each put what becomes of it.

    "": it arrives and is answered; "before": it never arrives; "after": it arrives, its answer does not.
    """

    shared: Shared
    bucket: str = "team"
    lose: Callable[[], str] = lambda: ""

    def doubts(self) -> tuple[str, ...]:
        return ()

    def get(self, key: str) -> StoredObject | None:
        with self.shared.alone:
            found = self.shared.found.get(key)
            return StoredObject(found[0], found[1], self.shared.now() - found[2]) if found else None

    def put(self, key: str, data: bytes, expected: Tag | None) -> Tag:
        lost = self.lose()
        if lost == "before":
            raise AwsUnreachable("No answer from the bucket.", why="reset before it took effect")
        with self.shared.alone:
            self.shared.puts += 1
            found = self.shared.found.get(key)
            if (found[1] if found else None) != expected:
                raise ObjectChanged(key)
            tag = f'"{next(self.shared.tags)}"'
            self.shared.found[key] = data, tag, self.shared.now()
        if lost == "after":
            raise AwsUnreachable("No answer from the bucket.", why="reset after it took effect")
        return tag
