"""One rotation, its strategy, and the names and tags of all that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """How data gets to green.

    `snapshot` pauses writes from the snapshot to the flip, for every engine. `replicate` lets green catch up by logical
    replication, so that writes pause for a moment at the flip. `auto`, until preflight has decided.
    """

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    REPLICATE = "replicate"


@dataclass(frozen=True)
class Rotation:
    """One rotation: from generation `source` to `target`. All names derive from here, never from the clock.

    Names are equal in every clone of the env; `nonce` is drawn when the rotation begins and is not (empty in journals
    of older versions). What carries our names and another nonce is somebody else's.
    """

    id: str
    env: str
    source: str
    target: str
    strategy: Strategy
    blue: str
    green: str
    source_snapshot: str
    copy_snapshot: str
    final_snapshot: str
    final_copy: str
    rolled_back_snapshot: str
    new_alias: str
    nonce: str = ""

    @property
    def identity(self) -> str:
        """Which rotation this is, in the database's marker and in the names of what is made there."""
        return f"{self.id}-{self.nonce}" if self.nonce else self.id

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags on everything that this rotation makes; adoption of found things checks them."""
        nonce = {"rotator:nonce": self.nonce} if self.nonce else {}
        return {"rotator:env": self.env, "rotator:rotation": self.id, "rotator:generation": self.target, **nonce}
