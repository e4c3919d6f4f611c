"""Where the seed lies: the exact position up to which a snapshot holds its source's transactions. Pure.

Sources that were exact in every one of 120 random snapshots under load: the restored server's replay position before
any restart of it, and `redo done at` in the log of its first crash recovery. The latter is the *start* of the last
record, so the seed is behind it: used as it stands, it would apply the last transaction twice. On RDS,
`rds_tools.logical_seed_lsn()` is the documented source. Two of them must agree, inside the sentinels' bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rotator.database.postgres.lsn import lsn, lsn_text
from rotator.database.postgres.replication.log_lines import own_lines
from rotator.database.seed import Bracket, Seed, SeedEvidence

_POSITION = r"([0-9A-F]{1,8}/[0-9A-F]{1,8})"
_STARTS = re.compile(rf"redo starts at {_POSITION}|redo is not required")
_DONE = re.compile(rf"redo done at {_POSITION}")
_END = re.compile(rf"invalid record length at {_POSITION}")
_LONGEST_RECORD = 1 << 20
"""Bytes that the last record may have: with all its full-page images a record stays below this."""


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


def decide_seed(evidence: SeedEvidence, recovery: Recovery, bracket: Bracket) -> Seed:
    """At least two exact sources that agree, or no seed.

    Invariant of what is given: confirmed <= position, low <= position <= high.
    """
    figures = _figures(evidence, recovery, bracket)
    problem = _sentinels(evidence)
    if problem:
        return Seed(None, (), figures, problem)
    position, sources, problem = _agreed(evidence, recovery)
    if position is None:
        return Seed(None, sources, figures, problem)
    problem = _outside(position, bracket)
    return Seed(None if problem else position, sources, figures, problem)


def _sentinels(evidence: SeedEvidence) -> str:
    if not evidence.slot:
        return "the row that was written after the slot is not in green: the snapshot is older than the slot"
    if not evidence.low:
        return "the row that was written before the snapshot is not in green: it is another snapshot's data"
    if evidence.high:
        return "the row that was written after the snapshot is in green: its data is younger than the snapshot"
    return ""


def _agreed(evidence: SeedEvidence, recovery: Recovery) -> tuple[int | None, tuple[str, ...], str]:
    """A position, the independent sources that agree on it, and what is wrong when there is none."""
    # After a second recovery the replay position is that one's, not the snapshot's.
    replayed = evidence.replayed if recovery.count <= 1 else None
    positions = {"rds_tools": evidence.tools, "replay position": replayed, "log": recovery.end}
    known = {name: position for name, position in positions.items() if position is not None}
    sources = tuple(known) if recovery.done is None else tuple(dict.fromkeys((*known, "log")))
    if len(sources) < 2 or not known:
        return None, sources, "fewer than two exact sources are to be had"
    position = next(iter(known.values()))
    if any(other != position for other in known.values()):
        return None, sources, "the sources disagree"
    # At page and segment boundaries the log says no end; then the last record must be the one that ends there.
    if recovery.done is not None and not recovery.done < position <= recovery.done + _LONGEST_RECORD:
        return None, sources, "the sources disagree"
    return position, sources, ""


def _outside(position: int, bracket: Bracket) -> str:
    if position < bracket.confirmed:
        return "the seed lies before the slot's position: changes between them would be missing"
    if not bracket.low <= position <= bracket.high:
        return "the seed lies outside the positions that blue had before and after the snapshot"
    return ""


def _figures(evidence: SeedEvidence, recovery: Recovery, bracket: Bracket) -> tuple[str, ...]:
    rows = (
        ("slot confirmed", bracket.confirmed),
        ("blue before the snapshot", bracket.low),
        ("blue after the snapshot", bracket.high),
        ("green's replay position", evidence.replayed),
        ("rds_tools.logical_seed_lsn()", evidence.tools),
        ("log: redo done at (start of the last record)", recovery.done),
        ("log: end of valid log", recovery.end),
    )
    found = tuple(f"{name}: {lsn_text(value) if value is not None else 'not available'}" for name, value in rows)
    return (*found, f"log: crash recoveries: {recovery.count}")
