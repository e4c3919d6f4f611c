"""What a server's log says of an apply worker that stopped: at a change it cannot apply, or at a lost connection. Pure.

A worker that stops is started again after some seconds: after a lost connection it then goes on, after a change that
cannot be applied it stops there again. So what the last runs ended with tells the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_STARTED = re.compile(r"logical replication (?:apply )?worker for subscription \"(rotator_\S+)\" has started")
_ERROR = re.compile(r"\b(?:ERROR|FATAL):\s+(.*)")
_MORE = re.compile(r"\b(DETAIL|HINT|CONTEXT):\s+(.*)")
_CONFLICT = re.compile(r"conflict detected on relation .*")
_OURS = re.compile(r"processing remote data for replication origin \"pg_\d+\"")
_CONNECTION = re.compile(
    r"could not (?:connect to the publisher|start WAL streaming|receive data from WAL stream|send end-of-streaming)"
    r"|terminating logical replication worker due to timeout"
)
_SLOTS = re.compile(r"out of (?:logical replication worker|background worker) slots")
_KEY = re.compile(r"\bKey \([^)]*\)=\(.*?\)(?=[;.]|$)")
"""Of a conflict's second line the key alone: the rest of it quotes both rows."""
LIMIT = 12


@dataclass
class _Run:
    """From one start of a worker to the next start of any."""

    data: list[str] = field(default_factory=list)
    connection: list[str] = field(default_factory=list)


def apply_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """Changes that could not be applied: errors of the last runs, each with its detail (the row's key) and context.

    A worker's error, DETAIL and CONTEXT come one after the other; other sessions' errors have no such context.
    """
    return tuple(dict.fromkeys(line for run in _last(lines) for line in run.data))[-LIMIT:]


def connection_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """How connections to the other side were lost, or could not be had, in the last runs."""
    return tuple(dict.fromkeys(line for run in _last(lines) for line in run.connection))[-LIMIT:]


def _last(lines: Iterable[str]) -> list[_Run]:
    """The last run of every subscription, and the one before it: a log is also read between a start and its error."""
    runs, names, block = [_Run()], set[str](), list[str]()
    for line in lines:
        run = runs[-1]
        if started := _STARTED.search(line):
            runs.append(_Run())
            names.add(started[1])
            block = []
        elif error := _ERROR.search(line):
            block = [error[1].strip()]
            if _CONNECTION.search(line):
                run.connection += block
                block = []
        elif _CONFLICT.search(line) or _SLOTS.search(line):
            run.data.append(line[line.rindex(":  ") + 3 :].strip() if ":  " in line else line.strip())
        elif block and line.startswith("\t") and (key := _KEY.search(line)):
            block.append(key[0])
        elif block and (more := _MORE.search(line)):
            block.append(more[2].strip())
            if more[1] == "CONTEXT" and _OURS.search(line):
                run.data += block
                block = []
    return runs[-2 * max(len(names), 1) :]
