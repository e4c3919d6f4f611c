"""Time the online comparison beside what it could cost: `make bench-checksum`. One run, one machine, two real servers.

- COPY (FORMAT binary) of the table to nowhere: what reading every value out of one server costs at the least.
- our digest on one server, over the same ranges that a comparison reads, boundaries included: one backend, one core.
- verify_online, the whole comparison: both servers at the same time. Nothing is written meanwhile.
- reladiff, the whole comparison, if it is in .rotator/bench-venv: its defaults, all columns, rows validated by md5 of
  their text. It gets more threads than its default of one when asked to (--reladiff-threads).

Each is run several times, in turns, and the best of each counts. "A core" is a second that the servers' processes spent
on a processor, so that other work on the machine and the time of a client do not count; "a second" is one of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from plain import open_plain
from scratch import REPOSITORY

from rotator.database.interface import Target
from rotator.database.postgres.compare.chunk_scanner import scan_chunks
from rotator.database.postgres.compare.chunks import Chunk
from rotator.database.postgres.compare.reader import reader
from rotator.database.postgres.compare.verify import CHUNK_ROWS, verify_online
from rotator.domain.database import Table
from rotator.sandbox.postgres.cluster import Cluster

COPY_GOAL = 1.0
RELADIFF_GOAL = 4.0
EXIT_SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")
"""The system's clock for processor time, ticks a second."""
DATABASE = "bench"
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "off"}

TABLE = """
create table item as
  select i::bigint as id,
         (i * 7919 %% 100003)::int as customer,
         (i %% 99991 / 100.0)::numeric(12, 2) as amount,
         (array['new', 'paid', 'sent', 'done'])[1 + i %% 4] as state,
         timestamptz '2024-01-01' + i * interval '7.3 seconds' as created,
         md5(i::text) || md5((i + 1)::text) as note,
         i %% 3 = 0 as active
    from generate_series(1::bigint, %s) i;
"""

RELADIFF = """
import json, sys, time
import reladiff
job = json.load(sys.stdin)
sides = [reladiff.connect_to_table(uri, "item", "id", job["threads"]) for uri in job["uris"]]
columns = ("customer", "amount", "state", "created", "note", "active")
began = time.monotonic()
found = sum(1 for _ in reladiff.diff_tables(*sides, extra_columns=columns, max_threadpool_size=job["threads"]))
print(json.dumps({"seconds": time.monotonic() - began, "differences": found}))
"""


@dataclass(frozen=True)
class Took:
    """Seconds of one run: of the clock, and of processors in the servers."""

    clock: float
    cores: float


@dataclass
class Timings:
    """Each run, by what was run. `rows` of one server;"""

    rows: int
    pids: tuple[int, ...]
    runs: dict[str, list[Took]] = field(default_factory=dict)

    def add(self, name: str, run: Callable[[], float]) -> None:
        """Run it once more; it gives its own seconds of the clock."""
        before, lasting = usage(self.pids)
        clock = run()
        after, left = usage(self.pids)
        until = time.monotonic() + EXIT_SECONDS
        while left - lasting and time.monotonic() < until:  # a server knows a process's time when it has ended
            after, left = usage(self.pids)
        assert not left - lasting, "a connection of this run is still open"
        after, _ = usage(self.pids)  # once more: the look before may have missed the time of one that was just ending
        took = Took(clock, after - before)
        self.runs.setdefault(name, []).append(took)
        _say(f"{name}: {took.clock:.2f} s, {took.cores:.2f} s of processors in the servers")

    def a_second(self, name: str) -> float:
        """Rows compared (or read) a second of the clock, in the best run."""
        return self.rows / min(took.clock for took in self.runs[name])

    def a_core(self, name: str, servers: int = 1) -> float:
        """Rows read a second of a processor, in the best run. One below a tick of the clock counts as a tick."""
        return servers * self.rows / max(min(took.cores for took in self.runs[name]), 1 / TICKS)


def usage(postmasters: Sequence[int]) -> tuple[float, frozenset[int]]:
    """Processor seconds of the servers so far, ended processes included, and which of them run (proc(5), stat)."""
    ticks, running = 0, set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        pid, parent = int(stat.parent.name), int(fields[1])
        if pid in postmasters:
            ticks += sum(map(int, fields[11:15]))
        elif parent in postmasters:
            ticks += sum(map(int, fields[11:13]))
            running.add(pid)
    return ticks / TICKS, frozenset(running)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a table; exit code 0 whatever the figures say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reladiff-threads", type=int, default=1)
    parser.add_argument(
        "--reladiff-python", type=Path, default=REPOSITORY / ".rotator" / "bench-venv" / "bin" / "python"
    )
    options = parser.parse_args(arguments)
    with pair(options.rows) as (clusters, blue, green):
        pids = tuple(pid for cluster in clusters if (pid := cluster.pid()) is not None)
        timings = measure(blue, green, options, Timings(options.rows, pids))
    print(report(timings))
    return 0


@contextmanager
def pair(rows: int) -> Iterator[tuple[list[Cluster], Target, Target]]:
    """Two servers with the same table; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-bench-"))
    folder.chmod(0o711)  # the servers' account must be able to pass
    clusters: list[Cluster] = []
    targets: list[Target] = []
    try:
        for side in ("blue", "green"):
            _say(f"{side}: {rows:,} rows")
            password = secrets.token_urlsafe(16)
            clusters.append(Cluster.create(folder / side, password=password, database=DATABASE, extra=SETTINGS))
            targets.append(clusters[-1].target(password, DATABASE))
            fill(targets[-1], rows)
        yield clusters, targets[0], targets[1]
    finally:
        for cluster in clusters:
            cluster.kill()
        shutil.rmtree(folder)


def fill(target: Target, rows: int) -> None:
    """Make the table on one server, with its key, its statistics and its visibility map."""
    connection = open_plain(target)
    try:
        connection.execute(TABLE, [rows])
        connection.execute("alter table item add primary key (id)")
        connection.execute("vacuum (analyze, freeze) item")
    finally:
        connection.close()


def measure(blue: Target, green: Target, options: argparse.Namespace, timings: Timings) -> Timings:
    """All of them in turns."""
    reladiff = _has_reladiff(options.reladiff_python)
    for _ in range(options.runs):
        timings.add("copy", lambda: time_copy(blue))
        timings.add("digest", lambda: time_digest(blue, options.rows))
        timings.add("verify", lambda: time_verify(blue, green, options.rows))
        if reladiff:
            timings.add("reladiff", lambda: time_reladiff(blue, green, options))
    return timings


def time_copy(target: Target) -> float:
    """Seconds of reading the table out in binary, to nowhere."""
    connection = open_plain(target)
    try:
        began = time.monotonic()
        with connection.cursor().copy("copy item to stdout (format binary)") as stream:
            size = sum(len(block) for block in stream)
        assert size > 0
        return time.monotonic() - began
    finally:
        connection.close()


def time_digest(target: Target, rows: int) -> float:
    """Seconds of the digest of all ranges, one after the other, on one server."""
    with reader(target, DATABASE, [("public", "item")]) as side:
        began = time.monotonic()
        ranges = scan_chunks(side, Chunk(DATABASE, "public", "item"), CHUNK_ROWS)
        assert sum(content.rows for _, content in ranges) == rows
        return time.monotonic() - began


def time_verify(blue: Target, green: Target, rows: int) -> float:
    """Seconds of the whole comparison, connections included."""
    began = time.monotonic()
    table = Table(DATABASE, "public", "item", rows)
    found = verify_online(blue, green, [table], lambda: None, lambda fraction, text: None)
    took = time.monotonic() - began
    assert (found.differences, found.unsettled) == ((), ())
    assert found.tables[str(table)].rows == rows
    return took


def time_reladiff(blue: Target, green: Target, options: argparse.Namespace) -> float:
    """Seconds of its comparison alone: without its start, its import and its connections."""
    uris = [f"postgresql://{s.user}:{s.password}@{s.host}:{s.port}/{DATABASE}" for s in (blue, green)]
    done = subprocess.run(
        [str(options.reladiff_python), "-c", RELADIFF],
        input=json.dumps({"uris": uris, "threads": options.reladiff_threads}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["differences"] == 0
    return float(found["seconds"])


def report(timings: Timings) -> str:
    """The table, with the goals."""
    servers = {"copy": 1, "digest": 1, "verify": 2, "reladiff": 2}
    words = {
        "copy": "COPY binary to nowhere, one server",
        "digest": "digest over ranges, one server",
        "verify": "verify_online, both servers",
        "reladiff": "reladiff, both servers",
    }
    core = {name: timings.a_core(name, servers[name]) for name in timings.runs}
    clock = {name: timings.a_second(name) for name in timings.runs}
    lines = [
        f"{timings.rows:,} rows of 7 columns, best of {len(timings.runs['copy'])}",
        f"{'rows':34} {'a core':>12} {'a second':>12}",
        *(f"{words[name]:34} {core[name]:12,.0f} {clock[name]:12,.0f}" for name in timings.runs),
        _ratio("digest to COPY", core["digest"] / core["copy"], clock["digest"] / clock["copy"], COPY_GOAL),
    ]
    if "reladiff" not in core:
        return "\n".join([*lines, "reladiff was not run: it is in no environment that was named, so its goal is open."])
    ours, theirs = core["verify"] / core["reladiff"], clock["verify"] / clock["reladiff"]
    return "\n".join([*lines, _ratio("verify_online to reladiff", ours, theirs, RELADIFF_GOAL)])


def _ratio(name: str, core: float, clock: float, goal: float) -> str:
    verdicts = " / ".join("met" if ratio >= goal else "MISSED" for ratio in (core, clock))
    return f"{name:34} {core:10.2f} x {clock:10.2f} x   goal: at least {goal:.1f}, {verdicts}"


def _has_reladiff(python: Path) -> bool:
    if not python.exists():
        return False
    command = [str(python), "-c", "import reladiff, psycopg2"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
