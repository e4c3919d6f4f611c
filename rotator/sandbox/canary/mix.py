"""The write canary's transactions. Their effects follow from their numbers, so that they can be checked.

Each transaction inserts its number into canary.writes; most do more. After any crash, copy or move every table must
hold exactly what the numbers in canary.writes say: see canary_checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LINES = 3
QUEUE_CYCLES = 5
"""A row of the queue is deleted by the transaction that many rounds of the cycle later."""


class Work(StrEnum):
    """Kinds of transactions."""

    PLAIN = "plain"  # one insert
    COUNTER = "counter"  # an update that is not idempotent
    LINES = "lines"  # several rows that belong together
    QUEUE = "queue"  # an insert, and the delete of an older row
    SAVEPOINT = "savepoint"  # a subtransaction that is rolled back, and one that is released
    ROLLBACK = "rollback"  # a whole transaction that is rolled back, then one that is committed


CYCLE = tuple(
    Work(name)
    for name in (
        *("plain", "counter", "lines", "plain", "queue", "counter", "savepoint", "plain", "counter", "queue"),
        *("lines", "rollback", "plain", "counter", "plain", "lines", "queue", "savepoint", "plain", "counter"),
    )
)
QUEUE_AGE = QUEUE_CYCLES * len(CYCLE)
SLOTS = {Work.COUNTER: 0, Work.SAVEPOINT: 1, Work.ROLLBACK: 2}
"""Kinds that count themselves, and in which of their writer's rows."""


@dataclass(frozen=True)
class Plan:
    """Round trips to the server: `before` can do no lasting thing; the transaction is committed by `last`."""

    before: tuple[bytes, ...]
    last: bytes


def work(seq: int) -> Work:
    """Kind of a numbered transaction."""
    return CYCLE[seq % len(CYCLE)]


def residues(*kinds: Work) -> list[int]:
    """The numbers modulo the cycle's length that are of these kinds."""
    return [place for place, kind in enumerate(CYCLE) if kind in kinds]


def tally(first: int, last: int) -> dict[Work, int]:
    """How many of each kind are among the numbers from `first` to `last`."""
    length = len(CYCLE)
    counts = dict.fromkeys(Work, 0)
    for place, kind in enumerate(CYCLE):
        counts[kind] += (last - place) // length - (first - 1 - place) // length
    return counts


def plan(writer: int, seq: int, *, patient: bool) -> Plan:
    """The transaction with this number. A `patient` one goes statement by statement, to have time in between.

    So do the kinds of several rows and of a rollback: as in most applications, a client is in the middle of something
    when its session is cut. The others spare the machine: one round trip.
    """
    kind = work(seq)
    numbers = {b"w": writer, b"s": seq, b"old": seq - QUEUE_AGE}
    statements = [statement % numbers for statement in _WITHIN[kind]]
    ahead = tuple(statement % numbers for statement in _AHEAD.get(kind, ()))
    if patient or kind in (Work.LINES, Work.ROLLBACK):
        return Plan((*ahead, b"BEGIN;" + statements[0], *statements[1:]), b"COMMIT")
    if len(statements) == 1:
        return Plan((), statements[0])
    return Plan((), b";".join((b"BEGIN", *statements, b"COMMIT")))


def counters(writer: int) -> bytes:
    """Makes a writer's rows of canary.counter where they are missing; harmless twice."""
    rows = b",".join(b"(%d,%d,0)" % (writer, slot) for slot in SLOTS.values())
    return b"INSERT INTO canary.counter (writer,slot,value) VALUES " + rows + b" ON CONFLICT DO NOTHING"


def _count(kind: Work, more: int = 1) -> bytes:
    change = b"UPDATE canary.counter SET value=value+%d WHERE slot=%d" % (more, SLOTS[kind])
    return change + b" AND writer=%(w)d"


_WRITE = b"INSERT INTO canary.writes (writer,seq) VALUES (%(w)d,%(s)d)"
_NEVER = b"INSERT INTO canary.never (writer,seq) VALUES (%(w)d,%(s)d)"
_LINES = tuple(
    b"INSERT INTO canary.line (writer,seq,number) VALUES (%%(w)d,%%(s)d,%d)" % n for n in range(1, LINES + 1)
)
_WITHIN: dict[Work, tuple[bytes, ...]] = {
    Work.PLAIN: (_WRITE,),
    Work.COUNTER: (_WRITE, _count(Work.COUNTER)),
    Work.LINES: (*_LINES[:2], _WRITE, *_LINES[2:]),
    Work.QUEUE: (
        b"INSERT INTO canary.queue (writer,seq) VALUES (%(w)d,%(s)d)",
        _WRITE,
        b"DELETE FROM canary.queue WHERE writer=%(w)d AND seq=%(old)d",
    ),
    Work.SAVEPOINT: (
        _WRITE,
        b"SAVEPOINT one;" + _NEVER + b";ROLLBACK TO one",
        b"SAVEPOINT two;" + _count(Work.SAVEPOINT) + b";RELEASE two",
    ),
    Work.ROLLBACK: (_WRITE, _count(Work.ROLLBACK)),
}
_AHEAD: dict[Work, tuple[bytes, ...]] = {
    Work.ROLLBACK: (
        b"BEGIN;" + _NEVER,
        _count(Work.ROLLBACK, 1_000_000) + b";DELETE FROM canary.queue WHERE writer=%(w)d;ROLLBACK",
    ),
}
