"""What the write canary found: its own log of acknowledgements against the rows that are behind the name now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import psycopg

from rotator.errors import RotatorError
from rotator.network.resolver import ClientResolver
from rotator.sandbox.canary_log import Entry, Kind, ranges, read, writers
from rotator.sandbox.interface import CanarySettings

EXAMPLES = 10
Row = tuple[int, int]


@dataclass(frozen=True)
class CanaryReport:
    """Counts of numbered writes. `lost` and `doubled` are None when the database could not be asked (`problem`).

    `unacknowledged` were tried and are not (or not yet) known to be committed. `unknown` counts the writes during
    whose commit a connection broke. `longest_pause_seconds` is the largest gap between two acknowledgements, whoever
    got them, a gap that still lasts included; `longest_pause_started` is its start in UTC. Examples: (writer, seq).
    """

    running: bool
    writers: int
    attempted: int
    acknowledged: int
    lost: int | None
    doubled: int | None
    unacknowledged: int
    unknown: int
    longest_pause_seconds: float
    longest_pause_started: str | None
    address: str | None = None
    lost_examples: tuple[Row, ...] = ()
    doubled_examples: tuple[Row, ...] = ()
    problem: str | None = None

    def as_json(self) -> Mapping[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """What the table says of acknowledged rows."""

    address: str
    lost: tuple[Row, ...]
    doubled: tuple[Row, ...]


def report(settings: CanarySettings, *, running: bool) -> CanaryReport:
    """Right also while writers write: acknowledgements are read first, rows afterwards."""
    numbers = writers(settings.folder)
    entries = {number: tuple(read(settings.folder, number)) for number in numbers}
    acknowledged = {number: {e.seq for e in entries[number] if e.kind is Kind.ACK} for number in numbers}
    attempted = sum(len({e.seq for e in entries[number]}) for number in numbers)
    total = sum(len(each) for each in acknowledged.values())
    pause, started = longest_pause(tuple(e for each in entries.values() for e in each), running=running)
    rows: Rows | None = None
    problem: str | None = None
    try:
        rows = look(settings, acknowledged)
    except (psycopg.Error, RotatorError) as error:
        problem = str(error).strip()
    return CanaryReport(
        running=running,
        writers=len(numbers),
        attempted=attempted,
        acknowledged=total,
        lost=len(rows.lost) if rows else None,
        doubled=len(rows.doubled) if rows else None,
        unacknowledged=attempted - total,
        unknown=sum(len({e.seq for e in each if e.kind is Kind.UNKNOWN}) for each in entries.values()),
        longest_pause_seconds=round(pause, 3),
        longest_pause_started=datetime.fromtimestamp(started, UTC).isoformat() if started else None,
        address=rows.address if rows else None,
        lost_examples=rows.lost[:EXAMPLES] if rows else (),
        doubled_examples=rows.doubled[:EXAMPLES] if rows else (),
        problem=problem,
    )


def longest_pause(entries: tuple[Entry, ...], *, running: bool) -> tuple[float, float | None]:
    """(seconds, its start as Unix time) of the largest gap between acknowledgements, whoever got them."""
    acknowledged = sorted((e.monotonic, e.unix) for e in entries if e.kind is Kind.ACK)
    if not acknowledged:
        return 0.0, None
    if running:
        acknowledged.append((time.monotonic(), time.time()))
    gaps = ((after[0] - before[0], before[1]) for before, after in pairwise(acknowledged))
    return max(gaps, default=(0.0, None))


def look(settings: CanarySettings, acknowledged: Mapping[int, set[int]]) -> Rows:
    """Ask the database behind the name now (nothing cached). Raises psycopg.Error or RotatorError."""
    login = settings.login
    addresses = ClientResolver(settings.resolver).addresses(login.host)
    if not addresses:
        raise psycopg.OperationalError(f"{login.host} leads to no address")
    runs = [(number, first, last) for number, seqs in acknowledged.items() for first, last in ranges(seqs)]
    with psycopg.connect(
        host=login.host,
        hostaddr=addresses[0],
        port=login.port,
        user=login.user,
        password=login.password,
        dbname=login.database,
        connect_timeout=5,
        application_name="canary-report",
        options="-c default_transaction_read_only=on -c statement_timeout=60000",
    ) as connection:
        lost = connection.execute(
            "SELECT run.writer, seq FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) run (writer, low, high),"
            " generate_series(run.low, run.high) seq"
            " WHERE NOT EXISTS (SELECT FROM canary.writes w WHERE w.writer = run.writer AND w.seq = seq.seq)"
            " ORDER BY 1, 2",
            ([run[0] for run in runs], [run[1] for run in runs], [run[2] for run in runs]),
        ).fetchall()
        doubled = connection.execute(
            "SELECT writer, seq FROM canary.writes GROUP BY writer, seq HAVING count(*) > 1 ORDER BY 1, 2"
        ).fetchall()
    return Rows(addresses[0], _rows(lost), _rows(doubled))


def _rows(found: list[tuple[Any, ...]]) -> tuple[Row, ...]:
    return tuple((int(writer), int(seq)) for writer, seq in found)
