"""Lines of a server's log that the server itself wrote, told from what its clients wrote into it. Pure.

Whoever reaches the port has lines there: a failed login is logged with the name that was given, a failing statement
with its text, and RAISE LOG writes what it likes. What tells them apart is the prefix, which names the session's user
and database: RDS's own is `%t:%r:%u@%d:[%p]:` (Amazon RDS User Guide, "RDS for PostgreSQL database log files"), and
processes without a client have neither. Further lines of one message begin with a tab (PostgreSQL, elog.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SEVERITY = "DEBUG|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|STATEMENT"
_OWN = re.compile(
    rf"[^@\t][^@]{{0,300}}:@:\[\d{{1,10}}\]:[^@]{{0,300}}?(?P<kind>{_SEVERITY}):\s{{1,8}}(?P<text>.*)", re.DOTALL
)
LONGEST = 4096
"""Of a line, so much is read: rows of any length are quoted in a log."""


def own_lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(kind, text) of each line of a process without a client; kind "" for one that continues the line before."""
    ours = False
    for whole in lines:
        line = whole[:LONGEST]
        if line.startswith("\t"):
            if ours:
                yield "", line[1:]
            continue
        found = _OWN.fullmatch(line)
        ours = found is not None
        if found:
            yield found["kind"], found["text"]
