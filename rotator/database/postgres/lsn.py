"""Places in PostgreSQL's log (LSN) as whole numbers, as text, and as positions of a channel."""

from __future__ import annotations

from rotator.database.position import Position

ENGINE = "postgres"


def lsn(text: str) -> int:
    """'16/B374D848' -> its number (PostgreSQL, pg_lsn Type). Raises ValueError."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(position: int) -> str:
    """A position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def position_of(number: int) -> Position:
    """A place in the log as the steps hold it."""
    return Position(ENGINE, lsn_text(number))


def number_of(position: Position) -> int:
    """Its number. Raises ValueError for a position of another engine."""
    if position.engine != ENGINE:
        raise ValueError(f"a position of {position.engine} means nothing to {ENGINE}")
    return lsn(position.text)


def covers(position: Position, other: Position) -> bool:
    """Whether a log up to `position` holds all of one up to `other`. Raises ValueError."""
    return number_of(position) >= number_of(other)
