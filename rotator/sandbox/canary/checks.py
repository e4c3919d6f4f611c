"""Checks of the canary's tables, in one snapshot, so that they are correct while writers write.

Each acknowledged number must be in canary.writes, once. All other rows follow from the numbers that are there, whether
acknowledged or not: a transaction's effects are all there or none is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from rotator.sandbox.canary.mix import CYCLE, LINES, QUEUE_AGE, SLOTS, Work, residues

EXAMPLES = 10
# All checks together. They read whole tables, which grow by some hundred rows a second.
LOOK_SECONDS = 45.0
Connection = psycopg.Connection[tuple[Any, ...]]
Run = tuple[int, int, int]
"""(writer, first, last): numbers that were acknowledged."""

# Each gives a row for each violated expectation: writer, seq (of a counter: null), lost, doubled, words.
_LOST = """
  select run.writer, number as seq, 1 as lost, 0 as doubled,
         'acknowledged, and not in canary.writes' as words
  from unnest(%(writers)s::int[], %(lows)s::bigint[], %(highs)s::bigint[]) run (writer, low, high)
  cross join lateral (
    select count(distinct seq) as found from canary.writes w where w.writer = run.writer and w.seq between low and high
  ) there
  cross join lateral generate_series(low, case when found < high - low + 1 then high else low - 1 end) number
  where not exists (select from canary.writes w where w.writer = run.writer and w.seq = number)"""
_DOUBLED = """
  select writer, seq, 0 as lost, count(*) - 1 as doubled, count(*) || ' times in canary.writes' as words
  from canary.writes group by writer, seq having count(*) > 1"""
_COUNTERS = """
  select writer, null::bigint as seq,
         greatest(coalesce(wanted, 0) - coalesce(value, 0), 0) as lost,
         greatest(coalesce(value, 0) - coalesce(wanted, 0), 0) as doubled,
         'counter ' || slot || ' is ' || coalesce(value::text, 'not there')
           || ', and its committed updates are ' || coalesce(wanted, 0) as words
  from (
    select writer, slot, count(distinct seq) as wanted
    from canary.writes
    join unnest(%(counted)s::int[], %(slots)s::int[]) kind (residue, slot) on mod(seq, %(cycle)s) = residue
    group by writer, slot
  ) committed
  full join canary.counter using (writer, slot)
  where coalesce(wanted, 0) <> coalesce(value, 0)"""
_LINES = """
  with suspect as materialized (
    select writer, seq, coalesce(wanted, 0) as wanted
    from (select distinct writer, seq, 1 as wanted from canary.writes where mod(seq, %(cycle)s) = any(%(lined)s)) mine
    full join (
      select writer, seq, count(*) as found, count(distinct number) as numbers from canary.line group by writer, seq
    ) there using (writer, seq)
    where wanted is null or found is distinct from %(lines)s or numbers is distinct from %(lines)s
  )
  select writer, seq, greatest(wanted - found, 0) as lost, greatest(found - wanted, 0) as doubled,
         case when wanted = 0 then 'not committed, and ' else '' end
           || 'line ' || expected || ' is there ' || found || ' times' as words
  from suspect
  cross join generate_series(1, %(lines)s) expected
  cross join lateral (
    select count(*) as found from canary.line
    where (line.writer, line.seq, line.number) = (suspect.writer, suspect.seq, expected)
  ) there
  where wanted <> found"""
_QUEUE = """
  with mine as materialized (
    select distinct writer, seq from canary.writes where mod(seq, %(cycle)s) = any(%(queued)s)
  )
  select writer, seq,
         case when wanted = 0 then 1 else greatest(coalesce(wanted, 0) - coalesce(found, 0), 0) end as lost,
         case when wanted is null then found else greatest(coalesce(found, 0) - 1, 0) end as doubled,
         case when wanted is null then 'not committed, and ' when wanted = 0 then 'deleted, and ' else '' end
           || coalesce(found, 0) || ' times in canary.queue' as words
  from (
    select writer, seq, case when later.there then 0 else 1 end as wanted
    from mine
    left join (select writer, seq - %(age)s as seq, true as there from mine) later using (writer, seq)
  ) committed
  full join (select writer, seq, count(*) as found from canary.queue group by writer, seq) there using (writer, seq)
  where coalesce(wanted, 0) <> coalesce(found, 0)"""
_NEVER = """
  select writer, seq, 0 as lost, 1 as doubled, 'rolled back, and in canary.never' as words from canary.never"""

# All are counted, few are fetched: some of each sort.
_SUMMED = """
  select writer, seq, lost, doubled, words, all_lost, all_doubled from (
    select *, sum(lost) over () as all_lost, sum(doubled) over () as all_doubled,
           row_number() over (partition by lost > 0 order by writer, seq) as place
    from ({check}) violation
  ) violation where place <= {examples} order by writer, seq"""


@dataclass(frozen=True)
class Example:
    """A violated expectation. `seq` is None for a counter, which belongs to no single transaction."""

    writer: int
    seq: int | None
    lost: bool
    words: str

    def __str__(self) -> str:
        which = "" if self.seq is None else f", transaction {self.seq}"
        return f"writer {self.writer}{which}: {self.words}"


@dataclass(frozen=True)
class Findings:
    """Missing effects, surplus effects, and examples of both."""

    lost: int
    doubled: int
    examples: tuple[Example, ...]


def look(connection: Connection, acknowledged: Sequence[Run], seconds: float = LOOK_SECONDS) -> Findings:
    """All checks in one snapshot; `acknowledged` must have been read before.

    Raises psycopg.Error; psycopg.errors.QueryCanceled when they take longer than `seconds`.
    """
    ends = time.monotonic() + seconds
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    parameters = _parameters(acknowledged)
    lost = doubled = 0
    examples: list[Example] = []
    with connection.transaction():
        for check in (_LOST, _DOUBLED, _COUNTERS, _LINES, _QUEUE, _NEVER):
            query = _SUMMED.format(check=check, examples=EXAMPLES)
            left = max(1, int((ends - time.monotonic()) * 1000))
            connection.execute("select set_config('statement_timeout', %s, true)", (str(left),))
            rows = connection.execute(query.encode(), parameters).fetchall()
            lost += int(rows[0][5]) if rows else 0
            doubled += int(rows[0][6]) if rows else 0
            examples += [Example(row[0], row[1], row[2] > 0, row[4]) for row in rows]
    return Findings(lost, doubled, tuple(examples))


def _parameters(acknowledged: Sequence[Run]) -> Mapping[str, Any]:
    counted = [(residue, slot) for kind, slot in SLOTS.items() for residue in residues(kind)]
    return {
        "writers": [run[0] for run in acknowledged],
        "lows": [run[1] for run in acknowledged],
        "highs": [run[2] for run in acknowledged],
        "cycle": len(CYCLE),
        "counted": [residue for residue, _ in counted],
        "slots": [slot for _, slot in counted],
        "lined": residues(Work.LINES),
        "lines": LINES,
        "queued": residues(Work.QUEUE),
        "age": QUEUE_AGE,
    }
