"""The cutover's window under load, between two real servers: `make bench-cutover`.

Eight clients, each a process, write 500 transactions a second. A window moves them from blue to green; the replication
is turned, and a second window moves them back. Then the pair of servers is thrown away and a fresh one made: so every
pair has two runs. The shared variable that stands for DNS is switched right after the window has been passed.

- server: the window's own parts, from the fence to the opening of the other side.
- clients: from the last commit that was acknowledged on the old side to the first one on the new side, by the clients'
  own clocks; new connections are part of it.
- slowest client: the longest wait of any one client between two of its commits; its pace is part of it.

A window that is over one of its budgets is given up, blue takes writes again, and it is tried anew; that is counted.
Exit code 1 when a transaction was lost or is there twice, whatever the times are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from clients import CLIENTS, SCHEMA, Ack, Clients, expected, stored, writing
from pair import running_blue, version

from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.replication import Budgets, Passed
from rotator.domain.errors import DatabaseError

RATE = 500
MEDIAN_GOAL, WORST_GOAL = 0.1, 0.5
RUNS_OF_A_PAIR = 2
ATTEMPTS = 3
WARM_WRITES = 60
"""Transactions of every client before a window: about a second."""
WRITE_SECONDS = 60.0
RATE_SECONDS = 0.5
RIVAL = "pg_easy_replicate"


@dataclass(frozen=True)
class Flip:
    """A window that was passed: from which side, when the clients were told (monotonic), tries that were given up."""

    old: int
    at: float
    passed: Passed
    given_up: int


@dataclass(frozen=True)
class Run:
    """One window's figures, in seconds; `rate`: transactions a second just before it."""

    parts: dict[str, float]
    clients: float
    slowest: float
    rate: float
    given_up: int
    ended: int

    @property
    def server(self) -> float:
        """All parts."""
        return sum(self.parts.values())


@dataclass
class Outcome:
    """All runs, and what was wrong in the end."""

    runs: list[Run] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    written: int = 0
    server: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=RATE, help="transactions a second, of all clients together")
    options = parser.parse_args(arguments)
    outcome = Outcome()
    for first in range(0, options.runs, RUNS_OF_A_PAIR):
        one_pair(outcome, min(RUNS_OF_A_PAIR, options.runs - first), options.rate)
    print(report(outcome))
    return 1 if outcome.lost or outcome.doubled else 0


def one_pair(outcome: Outcome, runs: int, rate: float) -> None:
    """Fresh servers, a window there and (if `runs` is 2) one back, and the count of all that was written."""
    with running_blue(SCHEMA) as pair:
        outcome.server = version(pair.blue)
        pair.follow()
        sides = [pair.target(cluster) for cluster in (pair.blue, pair.green) if cluster is not None]
        with writing(sides, rate) as clients:
            flips = [flip(pair.forward, clients, 0)]
            if runs > 1:
                pair.turn()
                flips.append(flip(pair.back, clients, 1))
            clients.wait_for_writes(WARM_WRITES, WRITE_SECONDS)
            acks = clients.finish()
        for each in flips:
            outcome.runs.append(measure(each, acks))
            _say(f"run {len(outcome.runs)}, from {('blue', 'green')[each.old]}: {_words(outcome.runs[-1])}")
        lost, doubled = count(acks, stored(sides[1 - flips[-1].old]))
    outcome.lost, outcome.doubled = outcome.lost + lost, outcome.doubled + doubled
    outcome.written += len(acks)
    _say(f"{len(acks):,} transactions acknowledged: {lost} rows lost, {doubled} doubled")


def flip(channel: PostgresChannel, clients: Clients, old: int) -> Flip:
    """Compare, then pass the window and tell the clients. Raises DatabaseError when that fails again and again."""
    for given_up in range(ATTEMPTS):
        clients.wait_for_writes(WARM_WRITES, WRITE_SECONDS)
        verified = channel.verify(lambda fraction, text: None)
        if verified.differences:
            raise DatabaseError("the sides differ", why="; ".join(verified.differences), code="validate-contents")
        try:
            with channel.window(Budgets(), verified.unsettled, retain_back=not channel.back) as window:
                window.prepare(lambda fraction, text: None, lambda: None)
                passed = window.run()
                at = monotonic()
                clients.serve(1 - old)
            return Flip(old, at, passed, given_up)
        except DatabaseError as error:
            _say(f"a window was given up: {error} ({error.why})")
            if given_up == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def measure(each: Flip, acks: Sequence[Ack]) -> Run:
    """What the clients saw of it."""
    first = min(ack.at for ack in acks if ack.side != each.old and ack.at > each.at)
    before = [ack for ack in acks if ack.side == each.old and ack.at < first]
    last = max(ack.at for ack in before)
    return Run(
        parts=dict(each.passed.parts),
        clients=first - last,
        slowest=max(_wait(each, acks, writer, first) for writer in range(CLIENTS)),
        rate=sum(1 for ack in before if ack.at > last - RATE_SECONDS) / RATE_SECONDS,
        given_up=each.given_up,
        ended=len(each.passed.cut_off),
    )


def _wait(each: Flip, acks: Sequence[Ack], writer: int, first: float) -> float:
    ours = [ack for ack in acks if ack.writer == writer]
    last = max(ack.at for ack in ours if ack.side == each.old and ack.at < first)
    return min(ack.at for ack in ours if ack.side != each.old and ack.at > each.at) - last


def count(acks: Sequence[Ack], there: dict[str, Counter[tuple[int, int]]]) -> tuple[int, int]:
    """Rows that are missing on the side that serves, and rows that are there too often or were never acknowledged."""
    wanted = expected(acks)
    lost = sum((rows - there[table]).total() for table, rows in wanted.items())
    doubled = sum((there[table] - rows).total() for table, rows in wanted.items())
    return lost, doubled


def report(outcome: Outcome) -> str:
    """The table, with the goals."""
    runs = outcome.runs
    names = list(dict.fromkeys(name for run in runs for name in run.parts))
    lines = [
        f"PostgreSQL {outcome.server}, {len(runs)} windows, {CLIENTS} clients, "
        f"{median(run.rate for run in runs):.0f} transactions a second before the window (median)",
        f"{'milliseconds':34}{'median':>9}{'worst':>9}",
        _row("clients, old side to new side", [run.clients for run in runs]) + _goals([run.clients for run in runs]),
        _row("server", [run.server for run in runs]) + _goals([run.server for run in runs]),
        *(_row(f"  {name}", [run.parts.get(name, 0.0) for run in runs]) for name in names),
        _row("slowest client", [run.slowest for run in runs]),
        f"windows given up before: {sum(run.given_up for run in runs)}",
        f"sessions ended: {sum(run.ended for run in runs)}",
        f"{outcome.written:,} transactions acknowledged: {outcome.lost} rows lost, {outcome.doubled} doubled",
        rival(),
    ]
    return "\n".join(lines)


def rival() -> str:
    """What there is to say of the comparison with the other tool: an open point, in words."""
    why = "it is not installed (a Ruby gem)" if shutil.which(RIVAL) is None else "this benchmark does not drive it yet"
    return f"{RIVAL}: not run, as {why}. So there is no comparison with it here."


def _words(run: Run) -> str:
    parts = ", ".join(f"{name} {value * 1000:.0f}" for name, value in run.parts.items())
    return f"clients {run.clients * 1000:.0f} ms, server {run.server * 1000:.0f} ms ({parts}), {run.rate:.0f} tx/s"


def _row(name: str, values: Sequence[float]) -> str:
    return f"{name:34}{median(values) * 1000:9.1f}{max(values) * 1000:9.1f}"


def _goals(values: Sequence[float]) -> str:
    met = [_met(median(values) < MEDIAN_GOAL), _met(max(values) < WORST_GOAL)]
    return f"   goals: median below {MEDIAN_GOAL * 1000:.0f}, {met[0]}; worst below {WORST_GOAL * 1000:.0f}, {met[1]}"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
