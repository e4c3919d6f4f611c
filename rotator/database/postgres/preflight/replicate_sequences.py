"""Preflight of strategy replicate, sequences of one database: those that have too little left for the headroom."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.postgres.catalog.sequence_look import Look
from rotator.database.postgres.catalog.sequence_places import SHARE
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import listed
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified


def sequence_findings(database: str, connection: Connection, headroom: int) -> Iterator[Finding]:
    """`headroom`: how many numbers are skipped at the flip, where there are enough."""
    look = Look(connection)
    left = {
        qualified(schema, name): look.limits[schema, name].left(state)
        for (schema, name), state in look.read().items()
        if not look.limits[schema, name].cycle
    }
    if few := [f"{name} ({count:,})" for name, count in left.items() if count < headroom * SHARE]:
        yield Finding(
            "sequence-end",
            f"database {database}: sequences near their end (numbers left): {listed(few)}",
            f"at the flip, and at a rollback after it, a sequence skips {headroom:,} numbers ([cutover]"
            f" sequence_headroom), but a quarter of what is left at most: of these fewer are skipped, so that a client"
            " which draws numbers on blue by itself during the flip could draw one that green gives out too",
            "a larger type for column and sequence, which they need soon anyway; or nothing, if only inserts draw",
            blocks=False,
        )
