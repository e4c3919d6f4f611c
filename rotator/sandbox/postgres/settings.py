"""What is written down of one server: where it listens, with which programs, and who signs its certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Settings:
    """What cluster.json holds. `service_password` is rdsadmin's; `extra` are further PostgreSQL settings.

    `authority`: folder of the one that signs the server's certificate; None: it speaks no TLS. `names`: host names in
    the certificate, which holds the address too. `major`: the server's version, such as 17.
    """

    address: str
    port: int
    master: str
    programs: str
    service_password: str = field(repr=False)
    extra: Mapping[str, str] = field(default_factory=dict)
    authority: str | None = None
    names: Sequence[str] = ()
    major: int = 0

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The reverse of to_json."""
        found = json.loads(text)
        return cls(**{**found, "names": tuple(found.get("names", ()))})
