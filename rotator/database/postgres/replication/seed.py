"""Where the seed lies: the exact position up to which a snapshot holds its source's transactions. Pure.

Sources that were exact in every one of 120 random snapshots under load: the restored server's replay position before
any restart of it, and `redo done at` in the log of its first crash recovery. The latter is the *start* of the last
record, so the seed is behind it: used as it stands, it would apply the last transaction twice. On RDS,
`rds_tools.logical_seed_lsn()` is the documented source. Two of them must agree, inside the sentinels' bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rotator.database.position import Position
from rotator.database.postgres.lsn import covers, lsn, lsn_text, number_of, position_of
from rotator.database.postgres.replication.log_lines import own_lines
from rotator.database.seed import Bracket, Seed, outside, quorum

_POSITION = r"([0-9A-F]{1,8}/[0-9A-F]{1,8})"
_STARTS = re.compile(rf"redo starts at {_POSITION}|redo is not required")
_DONE = re.compile(rf"redo done at {_POSITION}")
_END = re.compile(rf"invalid record length at {_POSITION}")
_LONGEST_RECORD = 1 << 20
"""Bytes that the last record may have: with all its full-page images a record stays below this."""


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
class Bounds:
    """What the seed must lie between: the slots' confirmed position, and the source's flushed positions before and
    after the snapshot.
    """

    confirmed: int
    low: int
    high: int


@dataclass(frozen=True)
class Recovery:
    """What a log says of the first crash recovery in it.

    `done` is the start of the last record that was replayed; `end` where no further valid record was found, where the
    log says so (None at page and segment boundaries); `count` how many recoveries the log has.
    """

    done: int | None
    end: int | None
    count: int


def read_recovery(lines: Iterable[str]) -> Recovery:
    """The first crash recovery of a server's log; reading stops at its end, but recoveries that follow are counted.

    Only what the server itself wrote counts.
    """
    done = end = None
    count = 0
    for kind, text in own_lines(lines):
        if kind != "LOG":
            continue
        if _STARTS.match(text):
            count += 1
        if count > 1:
            continue
        if found := _END.match(text):
            end = lsn(found[1])
        if found := _DONE.match(text):
            done = lsn(found[1])
    return Recovery(done, end, count)


def decide_seed(evidence: SeedEvidence, recovery: Recovery, bounds: Bounds) -> Seed:
    """At least two exact sources that agree, or no seed.

    Invariant of what is given: confirmed <= position, low <= position <= high.
    """
    figures = _figures(evidence, recovery, bounds)
    problem = _sentinels(evidence)
    if problem:
        return Seed(None, (), figures, problem)
    agreed = replace(_agreed(evidence, recovery), figures=figures)
    if agreed.position is None:
        return agreed
    bracket = Bracket(position_of(bounds.low), position_of(bounds.high))
    problem = outside(agreed.position, position_of(bounds.confirmed), bracket, covers)
    return replace(agreed, position=None, problem=problem) if problem else agreed


def _sentinels(evidence: SeedEvidence) -> str:
    if not evidence.slot:
        return "the row that was written after the slot is not in green: the snapshot is older than the slot"
    if not evidence.low:
        return "the row that was written before the snapshot is not in green: it is another snapshot's data"
    if evidence.high:
        return "the row that was written after the snapshot is in green: its data is younger than the snapshot"
    return ""


def _agreed(evidence: SeedEvidence, recovery: Recovery) -> Seed:
    """A position and the independent sources that agree on it, or what is wrong when there is none."""
    # After a second recovery the replay position is that one's, not the snapshot's.
    replayed = evidence.replayed if recovery.count <= 1 else None
    numbers = {"rds_tools": evidence.tools, "replay position": replayed, "log": recovery.end}
    known = {name: position_of(number) for name, number in numbers.items() if number is not None}
    found = quorum(known, covers, () if recovery.done is None else ("log",))
    # At page and segment boundaries the log says no end; then the last record must be the one that ends there.
    if found.position is not None and recovery.done is not None and not _ends_there(recovery.done, found.position):
        return Seed(None, found.sources, (), "the sources disagree")
    return found


def _ends_there(last: int, position: Position) -> bool:
    """Whether a record that starts at `last` can end at the position."""
    return last < number_of(position) <= last + _LONGEST_RECORD


def _figures(evidence: SeedEvidence, recovery: Recovery, bounds: Bounds) -> tuple[str, ...]:
    rows = (
        ("slot confirmed", bounds.confirmed),
        ("blue before the snapshot", bounds.low),
        ("blue after the snapshot", bounds.high),
        ("green's replay position", evidence.replayed),
        ("rds_tools.logical_seed_lsn()", evidence.tools),
        ("log: redo done at (start of the last record)", recovery.done),
        ("log: end of valid log", recovery.end),
    )
    found = tuple(f"{name}: {lsn_text(value) if value is not None else 'not available'}" for name, value in rows)
    return (*found, f"log: crash recoveries: {recovery.count}")
