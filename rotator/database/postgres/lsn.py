"""Places in PostgreSQL's log (LSN) as whole numbers, and as text."""

from __future__ import annotations


def lsn(text: str) -> int:
    """'16/B374D848' -> its number (PostgreSQL, pg_lsn Type). Raises ValueError."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(position: int) -> str:
    """A position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
