"""The write canary's report: its own log of acknowledgements, compared with the tables behind the name now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from rotator.domain.errors import RotatorError
from rotator.network.resolver import ClientResolver
from rotator.sandbox.canary.checks import EXAMPLES, Example, Findings, Run, look
from rotator.sandbox.canary.tally import Tally
from rotator.sandbox.interface import CanarySettings

Row = tuple[int, int]


@dataclass(frozen=True)
class CanaryReport:
    """Counts of numbered transactions. `lost` and `doubled` are None when the database could not be asked (`problem`).

    `lost` counts effects that are missing (a row, an update, a delete of what was acknowledged, or of a transaction
    that is there in part), `doubled` those that are there too often or should never be there; `examples` says some in
    words, and those that belong to one transaction are (writer, seq) in `lost_examples` and `doubled_examples`.

    `writers` leaves out the `slow_writers`, whose transactions stay open for seconds. `unacknowledged` were tried and
    are not (or not yet) known to be committed. `unknown` counts transactions during whose commit a connection broke,
    `refused` those that were refused or cut off before their commit; both were tried again. `refusals`: how often for
    which reason (an SQLSTATE, or a word where the server said nothing). `rate`: acknowledgements a second over the
    last minute, or the whole run. `kinds`: acknowledged ones of each kind.

    `longest_pause_seconds` is the largest gap between two acknowledgements, whoever got them, a gap that still lasts
    included; `longest_pause_started` is its start in UTC; `pauses` are the largest ones with theirs.
    `writers_longest_pause_seconds` is the largest that any single writer saw, slow ones left out.
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
    pauses: tuple[Mapping[str, Any], ...] = ()
    writers_longest_pause_seconds: float = 0.0
    slow_writers: int = 0
    refused: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)
    rate: float = 0.0
    kinds: Mapping[str, int] = field(default_factory=dict)
    address: str | None = None
    examples: tuple[str, ...] = ()
    lost_examples: tuple[Row, ...] = ()
    doubled_examples: tuple[Row, ...] = ()
    problem: str | None = None

    def as_json(self) -> Mapping[str, Any]:
        """As a JSON object."""
        return asdict(self)


def report(settings: CanarySettings, tally: Tally, *, running: bool) -> CanaryReport:
    """Correct while writers write: it reads acknowledgements first, tables afterwards."""
    with tally.lock:
        tally.read_on()
        fields = _of_the_log(tally, running=running)
        acknowledged = tally.acknowledged()
    try:
        address, found = _ask(settings, acknowledged)
    except (psycopg.Error, RotatorError) as error:
        return CanaryReport(running=running, lost=None, doubled=None, problem=str(error).strip(), **fields)
    return CanaryReport(
        running=running,
        lost=found.lost,
        doubled=found.doubled,
        address=address,
        examples=tuple(str(each) for each in found.examples[:EXAMPLES]),
        lost_examples=_rows(each for each in found.examples if each.lost),
        doubled_examples=_rows(each for each in found.examples if not each.lost),
        **fields,
    )


def _of_the_log(tally: Tally, *, running: bool) -> dict[str, Any]:
    now = time.monotonic()
    every = tally.writers.values()
    quick = [each for each in every if not each.slow]
    attempted = sum(each.attempted for each in every)
    acknowledged = sum(last - first + 1 for _, first, last in tally.acknowledged())
    pauses = tally.pauses.now(now if running else None)
    ended = max((each.last for each in every if each.last), default=now)
    refusals: dict[str, int] = {}
    for each in every:
        for code, count in each.refused.items():
            refusals[code] = refusals.get(code, 0) + count
    return {
        "writers": len(quick),
        "slow_writers": len(every) - len(quick),
        "attempted": attempted,
        "acknowledged": acknowledged,
        "unacknowledged": attempted - acknowledged,
        "unknown": sum(each.unknown for each in every),
        "refused": sum(each.refused_numbers for each in every),
        "refusals": refusals,
        "rate": round(tally.rate(now if running else ended), 1),
        "kinds": tally.kinds(),
        "longest_pause_seconds": round(pauses[0].seconds, 3) if pauses else 0.0,
        "longest_pause_started": _for_people(pauses[0].started) if pauses else None,
        "pauses": tuple({"seconds": round(each.seconds, 3), "started": _for_people(each.started)} for each in pauses),
        "writers_longest_pause_seconds": round(
            max((each.gap(now if running else None) for each in quick), default=0.0), 3
        ),
    }


def _for_people(monotonic: float) -> str:
    return datetime.fromtimestamp(time.time() - time.monotonic() + monotonic, UTC).isoformat()


def _ask(settings: CanarySettings, acknowledged: Sequence[Run]) -> tuple[str, Findings]:
    """The database behind the name now (nothing cached). Raises psycopg.Error or RotatorError."""
    login = settings.login
    addresses = ClientResolver(settings.resolver).addresses(login.host)
    if not addresses:
        raise psycopg.OperationalError(f"{login.host} leads to no address")
    where = login.conninfo(
        "verify-ca",
        hostaddr=addresses[0],
        connect_timeout=5,
        application_name="canary-report",
    )
    with psycopg.connect(where, autocommit=True) as connection:
        return addresses[0], look(connection, acknowledged)


def _rows(examples: Iterable[Example]) -> tuple[Row, ...]:
    return tuple((each.writer, each.seq) for each in examples if each.seq is not None)[:EXAMPLES]
