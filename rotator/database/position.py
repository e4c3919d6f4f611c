"""A place in a server's history of changes: opaque to everybody but the channels of its engine."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST = "postgres"
"""Positions of this engine are stored as bare text: journals had them so before there was another one."""


@dataclass(frozen=True)
class Position:
    """`engine` is a name of database/engines.py; `text` what that engine writes (an LSN, a GTID set, file and offset).

    Two positions are compared by a channel alone (`covers`): sets of GTIDs are only partly ordered.
    """

    engine: str
    text: str

    def __str__(self) -> str:
        """As a journal keeps it, and as people read it."""
        return self.text if self.engine == _FIRST else f"{self.engine}:{self.text}"


def read_position(stored: str) -> Position:
    """The position that a journal keeps as `stored`."""
    engine, colon, text = stored.partition(":")
    named = colon and text and engine.isascii() and engine.isalpha() and engine.islower()
    return Position(engine, text) if named else Position(_FIRST, stored)
