"""What a server's log says of an apply worker that stopped: the error, the row's key, the table. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_STARTED = re.compile(r"logical replication (?:apply )?worker for subscription \"rotator_\S+\" has started")
_ERROR = re.compile(r"\b(?:ERROR|FATAL):\s+(.*)")
_MORE = re.compile(r"\b(DETAIL|HINT|CONTEXT):\s+(.*)")
_CONFLICT = re.compile(r"conflict detected on relation .*")
_OURS = re.compile(r"processing remote data for replication origin \"pg_\d+\"")
_CONNECTION = re.compile(r"could not (?:connect to the publisher|start WAL streaming|receive data from WAL stream)")
_SLOTS = re.compile(r"out of (?:logical replication worker|background worker) slots")
_KEY = re.compile(r"\bKey \([^)]*\)=\(.*?\)(?=[;.]|$)")
"""Of a conflict's second line the key alone: the rest of it quotes both rows."""
LIMIT = 12


def apply_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """Errors of applying since a worker last started, each with its detail (the row's key) and its context.

    A worker's error, DETAIL and CONTEXT come one after the other; other sessions' errors have no such context.
    """
    found: list[str] = []
    block: list[str] = []
    for line in lines:
        if _STARTED.search(line):
            found, block = [], []
        elif error := _ERROR.search(line):
            block = [error[1].strip()]
            if _CONNECTION.search(line):
                found += block
        elif _CONFLICT.search(line) or _SLOTS.search(line):
            found.append(line[line.rindex(":  ") + 3 :].strip() if ":  " in line else line.strip())
        elif block and line.startswith("\t") and (key := _KEY.search(line)):
            block.append(key[0])
        elif block and (more := _MORE.search(line)):
            block.append(more[2].strip())
            if more[1] == "CONTEXT" and _OURS.search(line):
                found += block
                block = []
    return tuple(dict.fromkeys(found))[-LIMIT:]
