"""What a replicating rotation makes on the servers, by name. All of it begins with `rotator_`, so that it can be told.

Slots may have small letters, digits and underscores only, and 63 characters (PostgreSQL, "Replication Slots").
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

OWN_PREFIX = "rotator_"
_ROOM = 40
"""Characters for the rotation; the rest of the 63 is for the prefix, a database's number and the direction."""
_LONGEST = 63


@dataclass(frozen=True)
class Names:
    """Names of one direction of one rotation. `back`: from green to blue, the reverse replication after the flip."""

    rotation_id: str
    back: bool = False

    @property
    def stem(self) -> str:
        """The rotation as part of a name; long or unusual ids are told apart by a digest."""
        plain = re.sub(r"[^a-z0-9]+", "_", self.rotation_id.lower()).strip("_")
        if plain == self.rotation_id.lower().replace("-", "_") and len(plain) <= _ROOM:
            return OWN_PREFIX + plain
        digest = hashlib.sha256(self.rotation_id.encode()).hexdigest()[:10]
        return f"{OWN_PREFIX}{plain[: _ROOM - 11]}_{digest}"

    @property
    def publication(self) -> str:
        """The publication, in every replicated database; green has it from the snapshot, to replicate back."""
        return self.stem

    @property
    def role(self) -> str:
        """The login of the replication connections, made for this rotation alone."""
        return self.stem

    def slot(self, database_oid: int) -> str:
        """The slot of one database on the sending server, and the subscription on the receiving one.

        A database's number is the same on both servers: one is a physical copy of the other.
        """
        name = f"{self.stem}_{database_oid}"
        if not self.back:
            return name
        # With the longest of rotations and numbers there is room for all but the line between.
        whole = f"{name}_back"
        return whole if len(whole) <= _LONGEST else f"{name}back"

    @property
    def pattern(self) -> str:
        """What `slot` gives for whatever database, and nothing else, as a regular expression."""
        return f"^{self.stem}_[0-9]+{'_?back' if self.back else ''}$"


def is_own(name: str) -> bool:
    """Whether a slot, subscription, publication or role is of this tool, of whatever rotation."""
    return name.startswith(OWN_PREFIX)
