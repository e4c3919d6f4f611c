"""How a connection is protected on its way, as one noun."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Encryption:
    """How a connection to a database is protected. `version` of TLS (None: in clear), `cipher`, what was `verified`."""

    version: str | None
    cipher: str | None
    verified: str = ""

    def __str__(self) -> str:
        """Such as 'TLSv1.3, authority and name verified'."""
        return f"{self.version}, {self.verified or 'nothing verified'}" if self.version else "in clear"
