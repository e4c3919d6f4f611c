"""Rows that were unequal once, looked at round after round until each is settled: equal, different, or unsettled. Pure.

A round reads blue, waits until green has applied what blue had committed by then, and reads green. As green goes
through blue's states in their order, these prove a difference, whatever is written meanwhile:

- blue has the same version of a row in two rounds running: green, read in between, must have shown it;
- green has the same version of a row in two rounds running: blue, read in between, must have had that row then.

"Same version" and not "same value": a value may change and change back. A commit can reach green a moment before blue's
own readers see it, so a proof counts when it was found `CONFIRM` times running.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rotator.database.postgres.compare.chunks import Chunk, Difference, Key, key_words
from rotator.database.postgres.compare.reader import Content

CONFIRM = 2
ROUNDS = 10

Listing = Mapping[Key, Content]
"""Contents by key; a table without a key is one entry under ()."""


@dataclass(frozen=True)
class RowReconciliation:
    """A chunk's rows that are not settled yet (None: not read yet), the last two listings, proofs in a row by key."""

    chunk: Chunk
    unequal: frozenset[Key] | None = None
    blue: Listing = field(default_factory=dict)
    green: Listing = field(default_factory=dict)
    proofs: Mapping[Key, int] = field(default_factory=dict)
    rounds: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a round settled, and the watch to go on with (None: all settled, or its rounds are used up: `unsettled`)."""

    reconciliation: RowReconciliation | None
    rows: int
    total: int
    differences: tuple[Difference, ...]
    unsettled: Chunk | None = None


def look(reconciliation: RowReconciliation, blue: Listing, green: Listing) -> Outcome:
    """One more round. Rows that appear after the first one are not looked at: they were written meanwhile."""
    keys = reconciliation.unequal if reconciliation.unequal is not None else frozenset(blue) | frozenset(green)
    equal = {key for key in keys if _same(blue.get(key), green.get(key))}
    proofs = {
        key: reconciliation.proofs.get(key, 0) + 1 for key in keys - equal if _proof(reconciliation, key, blue, green)
    }
    different = {key for key, count in proofs.items() if count >= CONFIRM}
    left = keys - equal - different
    after = replace(
        reconciliation, unequal=left, blue=blue, green=green, proofs=proofs, rounds=reconciliation.rounds + 1
    )
    settled = [content for key in equal if (content := blue.get(key)) is not None]
    spent = after.rounds >= ROUNDS
    return Outcome(
        reconciliation=after if left and not spent else None,
        rows=sum(content.rows for content in settled),
        total=sum(content.total for content in settled),
        differences=tuple(
            _difference(reconciliation.chunk, key, blue.get(key), green.get(key)) for key in sorted(different)
        ),
        unsettled=_narrow(reconciliation.chunk, left, blue) if left and spent else None,
    )


def _same(one: Content | None, other: Content | None) -> bool:
    return one is other if one is None or other is None else one.same(other)


def _proof(reconciliation: RowReconciliation, key: Key, blue: Listing, green: Listing) -> bool:
    if reconciliation.rounds == 0:
        return False
    ours, theirs = blue.get(key), green.get(key)
    still_blue = ours is not None and ours == reconciliation.blue.get(key)
    still_green = theirs is not None and theirs == reconciliation.green.get(key)
    return (still_blue and not _same(ours, reconciliation.green.get(key))) or still_green


def _narrow(chunk: Chunk, keys: frozenset[Key], blue: Listing) -> Chunk:
    """The part of `chunk` that holds `keys`, as far as blue's listing (in the key's order) can tell."""
    order = list(blue)
    if not chunk.key or not keys <= set(order):
        return chunk
    places = [order.index(key) for key in keys]
    low = order[min(places) - 1] if min(places) else chunk.low
    return replace(chunk, low=low, high=order[max(places)])


def _difference(chunk: Chunk, key: Key, blue: Content | None, green: Content | None) -> Difference:
    if not chunk.key:
        ours, theirs = blue.rows if blue else 0, green.rows if green else 0
        counts = f"{ours:,} rows on both sides" if ours == theirs else f"blue has {ours:,} rows, green {theirs:,}"
        return Difference(chunk.name, f"the contents differ ({counts}; it has no key to name rows by)")
    how = "only on blue" if green is None else "only on green" if blue is None else "differs"
    return Difference(chunk.name, how, f"row with {key_words(chunk.key)} = {key_words(key)}")
