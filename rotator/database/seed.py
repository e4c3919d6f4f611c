"""Where green's data ends: what is known of it, and the decision. As rotator.database.replication: no driver here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SeedEvidence:
    """What green says of the point up to which the snapshot holds blue's transactions.

    `replayed` is its replay position since its last start (None after a clean one), `tools` what rds_tools says;
    `slot`, `low`, `high`: whether the sentinels written after the slot, before and after the snapshot are in its data.
    """

    replayed: int | None
    tools: int | None
    slot: bool
    low: bool
    high: bool


@dataclass(frozen=True)
class Bracket:
    """What the seed must lie between: the slots' confirmed position, and the source's flushed positions before and
    after the snapshot.
    """

    confirmed: int
    low: int
    high: int


@dataclass(frozen=True)
class Seed:
    """The decision: a position and the sources that agree on it; or what is wrong, in words. `figures` are lines."""

    position: int | None
    sources: tuple[str, ...]
    figures: tuple[str, ...]
    problem: str = ""
