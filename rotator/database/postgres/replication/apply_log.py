"""What a server's log says of an apply worker that stopped: at a change it cannot apply, or at a lost connection. Pure.

A worker that stops is started again after some seconds: after a lost connection it then goes on, after a change that
cannot be applied it stops there again. So what the last runs ended with tells the two apart.

What is told is kept in journals and logs, so it names tables and constraints and quotes no value: of a message that is
not known to quote none, nothing is told but that it is there. The keys of conflicting rows are apart (`apply_keys`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rotator.database.postgres.replication.log_lines import own_lines

_STARTED = re.compile(r"logical replication (?:apply )?worker for subscription \"(rotator_\S{1,80})\" has started")
_NAME = r'"[^"]{1,300}"'
_CONFLICT = re.compile(rf"conflict detected on relation {_NAME}: conflict=\w{{1,40}}")
_OURS = re.compile(
    r"processing remote data for replication origin \"pg_\d{1,12}\""
    rf"(?: during message type \"[\w ]{{1,40}}\")?(?: for replication target relation {_NAME})?(?: column {_NAME})?"
    r"(?: in transaction \d{1,12})?(?:,? finished at [0-9A-F]{1,8}/[0-9A-F]{1,8})?"
)
_CONNECTION = re.compile(
    r"could not (?:connect to the publisher|start WAL streaming|receive data from WAL stream|send end-of-streaming)"
    r"|terminating logical replication worker due to timeout"
)
_SLOTS = re.compile(r"out of (?:logical replication worker|background worker) slots")
_NO_VALUES = re.compile(
    rf"duplicate key value violates unique constraint {_NAME}"
    rf"|(?:insert or )?update(?: or delete)? on table {_NAME} violates foreign key constraint {_NAME}"
    rf"(?: on table {_NAME})?"
    rf"|new row for relation {_NAME} violates (?:check constraint {_NAME}|partition constraint)"
    rf"|null value in column {_NAME} of relation {_NAME} violates not-null constraint"
    rf"|value for domain \S{{1,200}} violates check constraint {_NAME}"
    rf"|no partition of relation {_NAME} found for row"
    rf"|logical replication target relation {_NAME}[^\n]{{1,200}}"
    rf"|(?:user|role) {_NAME} cannot replicate into relation with row-level security enabled: {_NAME}"
    rf"|permission denied for \w{{1,20}}(?: \w{{1,20}})? \S{{1,200}}"
    rf"|(?:relation|type|schema|role) {_NAME} does not exist|column {_NAME} of relation {_NAME} does not exist"
    r"|table \S{1,200} takes no writes now: its database is moving to a new encryption key"
)
"""Messages of the server (PostgreSQL, src/backend) that quote names alone."""
_HIDDEN = "an error whose text can quote a row: it is in the server's log alone"
LIMIT = 12


@dataclass
class _Run:
    """From one start of a worker to the next start of any."""

    data: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    connection: list[str] = field(default_factory=list)


@dataclass
class _Block:
    """An error and what follows it, until it is known whose it is. Empty `said`: there is none."""

    said: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def apply_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """Changes that could not be applied: errors of the last runs, each with its table, and no value of a row.

    A worker's error, DETAIL and CONTEXT come one after the other. Only what the server's own processes wrote counts.
    """
    return tuple(dict.fromkeys(line for run in _last(lines) for line in run.data))[-LIMIT:]


def apply_keys(lines: Iterable[str]) -> tuple[str, ...]:
    """The keys of the rows that `apply_errors` is about, for a person at a terminal alone."""
    return tuple(dict.fromkeys(line for run in _last(lines) for line in run.keys))[-LIMIT:]


def connection_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """How connections to the other side were lost, or could not be had, in the last runs."""
    return tuple(dict.fromkeys(line for run in _last(lines) for line in run.connection))[-LIMIT:]


def _last(lines: Iterable[str]) -> list[_Run]:
    """The last run of every subscription, and the one before it: a log is also read between a start and its error."""
    runs, names, block = [_Run()], set[str](), _Block()
    for kind, text in own_lines(lines):
        if started := _STARTED.match(text) if kind == "LOG" else None:
            runs.append(_Run())
            names.add(started[1])
            block = _Block()
        elif kind in ("ERROR", "FATAL"):
            block = _began(runs[-1], text.strip())
        elif block.said and kind in ("DETAIL", "HINT", "CONTEXT", ""):
            block = _followed(runs[-1], block, text)
    return runs[-2 * max(len(names), 1) :]


def _began(run: _Run, text: str) -> _Block:
    if _CONNECTION.search(text):
        run.connection.append(text)
        return _Block()
    if conflict := _CONFLICT.search(text):
        run.data.append(conflict[0])
    elif slots := _SLOTS.search(text):
        run.data.append(slots[0])
    known = _NO_VALUES.match(text)
    return _Block([known[0] if known else _HIDDEN])


def _followed(run: _Run, block: _Block, line: str) -> _Block:
    """A line after an error: its DETAIL may hold the key, its CONTEXT says whether it is a worker of ours."""
    if ours := _OURS.search(line):
        run.data += [*block.said, ours[0]]
        run.keys += block.keys
        return _Block()
    if key := _key(line):
        block.keys.append(key)
    return block


def _key(line: str) -> str:
    """'Key (columns)=(values)' of a line, without what follows it, which quotes both rows; empty when there is none."""
    start = line.find("Key (")
    middle = line.find(")=(", start) if start >= 0 else -1
    if middle < 0:
        return ""
    ends = [at for mark in (") already exists", ");", ").", ") is ") if (at := line.find(mark, middle)) >= 0]
    return line[start : min(ends) + 1] if ends else line[start:]
