"""Snapshots at random moments of a server under load, each made a green and compared: `make seed-trials`.

A trial is what a rotation does up to the comparison: publication and slot, sentinel, snapshot, sentinel, restore,
quarantine, seed, subscription, catching up. Then the writers are held, and every row of every table is compared, so
that a transaction that was lost and one that was applied twice both show. With `--position seed` (the tool's own) all
must be exact.

Beside it, control trials with positions that are known to be wrong: `redo` takes "redo done at" of green's log as it
stands and `slot` the position that the slot had confirmed: both apply transactions again. `late` takes blue's position
after the snapshot: it loses some. If no control trial shows that, the trials cannot fail, and that is a failure. The
controls publish the table without a key alone, and only that one is compared: in the others a row that comes a second
time would stop the subscription, which proves nothing about the comparison.

Exit code 1 when a trial of `--position` was not exact, or no control trial showed a row twice, or none lost one.
PostgreSQL 15 and older let only superusers subscribe: there the master user is made one. Servers are the sandbox's
choice; ROTATOR_PG_BIN names others.
"""

# ruff: noqa: S311  (what is random here is no secret)
from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from load import SCHEMA, TABLES, Load, tidy, writing
from pair import CATCH_UP_SECONDS, QUARANTINE_SECONDS, Cut, Pair, connected, running_blue, version
from psycopg import sql

from rotator.database.interface import Target
from rotator.database.position import Position
from rotator.database.postgres.lsn import position_of
from rotator.database.postgres.names import SCHEMA as OWN_SCHEMA
from rotator.database.postgres.replication import publish, status
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.postgres.replication.seed import read_recovery
from rotator.domain.errors import DatabaseError

SEED, REDO, SLOT, LATE = POSITIONS = ("seed", "redo", "slot", "late")
WORDS = {
    SEED: "seed, as the tool decides",
    REDO: "control: 'redo done at' as it stands",
    SLOT: "control: the slot's confirmed position",
    LATE: "control: blue's after the snapshot",
}
KEYLESS = "ledger"
MOMENT_SECONDS = 0.4


@dataclass(frozen=True)
class Start:
    """Where the subscription begins, the sources that say so, and whether the log named the end of its valid part."""

    at: Position
    sources: str
    end_named: bool


@dataclass(frozen=True)
class Trial:
    """One trial: rows lost and doubled; rows that came by replication; transactions that were open from before the
    snapshot was begun until after it was done (those that ended while its copy was put away are not counted).

    `problem`: it ended before the comparison, in words.
    """

    position: str
    sources: str = ""
    end_named: bool = True
    lost: int = 0
    doubled: int = 0
    streamed: int = 0
    spanning: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def exact(self) -> bool:
        """Nothing lost, nothing twice; and something was there that could have been."""
        return not (self.lost or self.doubled or self.problem) and self.streamed > 0

    @property
    def words(self) -> str:
        """For people."""
        found = [f"{self.lost} lost"] * (self.lost > 0) + [f"{self.doubled} doubled"] * (self.doubled > 0)
        verdict = self.problem or ", ".join(found) or ("exact" if self.exact else "nothing was streamed")
        more = f"{self.streamed} rows streamed, {self.spanning} transactions or more over the cut, {self.seconds:.1f} s"
        return f"{verdict}; {more}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all, print a line each and a table."""
    options = _parser().parse_args(arguments)
    controls = options.controls if options.position == SEED else 0
    plan = [options.position] * options.trials + [each for each in POSITIONS[1:] for _ in range(controls)]
    trials: list[Trial] = []
    with running_blue(SCHEMA) as pair, writing(pair.target(pair.blue)) as load:
        _say(f"PostgreSQL {version(pair.blue)}, {len(plan)} trials")
        for number, position in enumerate(plan, 1):
            trials.append(trial(pair, load, position))
            _say(f"trial {number} of {len(plan)} ({position}): {trials[-1].words}")
    print(report(trials))
    problems = failures(trials, options.position)
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--position", choices=POSITIONS, default=SEED, help="where the subscriptions begin")
    parser.add_argument(
        "--controls", type=int, default=20, help="control trials with each wrong position (only beside --position seed)"
    )
    return parser


def trial(pair: Pair, load: Load, position: str) -> Trial:
    """One of them; blue is as before afterwards, and green is gone."""
    with load.paused(), connected(pair.target(pair.blue)) as connection:
        tidy(connection)
    began, without_identity = time.monotonic(), pair.forward.weak_tables()
    try:
        found = _follow(pair, load, position)
    except DatabaseError as error:
        load.check()
        said = pair.forward.apply_errors(pair.log()) if pair.green is not None else ()
        found = Trial(position, problem="; ".join((str(error), error.why, *said)))
    finally:
        pair.drop_green()
        pair.forward.close(without_identity)
    return Trial(**{**vars(found), "seconds": time.monotonic() - began})


def _follow(pair: Pair, load: Load, position: str) -> Trial:
    narrow = position != SEED
    _open(pair, narrow=narrow)
    cut = pair.snapshot(random.uniform(0, MOMENT_SECONDS))
    green = pair.target(pair.restore(cut))
    channel = pair.forward
    channel.quarantine(QUARANTINE_SECONDS)
    start = _position(pair, cut, position)
    before = _size(green)
    channel.attach(start.at)
    if narrow:
        _forget_sentinels(green)
    channel.start()
    channel.catch_up(CATCH_UP_SECONDS)
    with load.paused():
        channel.catch_up(CATCH_UP_SECONDS)
        lost, doubled = compare(pair.target(pair.blue), green, (KEYLESS,) if narrow else TABLES)
        streamed = _size(green) - before
    spanning = load.spanning(cut.began, cut.ended)
    return Trial(position, start.sources, start.end_named, lost, doubled, streamed, spanning)


def _open(pair: Pair, *, narrow: bool) -> None:
    """As a rotation does; `narrow`: the publication holds only the table without a key and the sentinels."""
    channel = pair.forward
    if not narrow:
        channel.open(strengthen=True, progress=lambda fraction, text: None)
        return
    publish.open_publications(channel.source, channel.names, strengthen=True)
    with connected(channel.source) as connection:
        connection.execute(
            sql.SQL("alter publication {} set table only {}, only {}").format(
                *map(sql.Identifier, (channel.names.publication, KEYLESS)), sql.Identifier(OWN_SCHEMA, "sentinel")
            )
        )
    channel.retain()
    channel.mark("slot")


def _forget_sentinels(green: Target) -> None:
    """They have a key and would come a second time: a control trial is about the rows of the application."""
    with connected(green) as connection:
        connection.execute(sql.SQL("delete from {}").format(sql.Identifier(OWN_SCHEMA, "sentinel")))


def _position(pair: Pair, cut: Cut, position: str) -> Start:
    recovery = read_recovery(pair.log())
    if position in (SLOT, LATE):
        at = _confirmed(pair.forward) if position == SLOT else cut.bracket.high
        return Start(at, "blue", recovery.end is not None)
    if position == REDO:
        if recovery.done is None:
            raise DatabaseError("no 'redo done at' in green's log", why="nothing was replayed", code="no-redo")
        return Start(position_of(recovery.done), "log", recovery.end is not None)
    seed = pair.forward.seed(pair.log(), cut.bracket)
    if seed.position is None:
        raise DatabaseError("no seed", why="; ".join((seed.problem, *seed.figures)), code="seed")
    return Start(seed.position, " + ".join(seed.sources), recovery.end is not None)


def _confirmed(channel: PostgresChannel) -> Position:
    """Where the slots stand."""
    with connected(channel.source) as connection:
        return position_of(max(slot.confirmed for slot in status.slots(connection, channel.names)))


def compare(blue: Target, green: Target, tables: Sequence[str]) -> tuple[int, int]:
    """(rows that green lacks, rows that it has too often or that blue has not). Both must stand still."""
    lost = doubled = 0
    for table in tables:
        ours, theirs = _rows(blue, table), _rows(green, table)
        lost += (ours - theirs).total()
        doubled += (theirs - ours).total()
    return lost, doubled


def _rows(target: Target, table: str) -> Counter[str]:
    """Every row as text, and how often it is there."""
    with connected(target) as connection:
        rows = connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(table))).fetchall()
    return Counter(str(row[0]) for row in rows)


def _size(target: Target) -> int:
    return _rows(target, KEYLESS).total()


def failures(trials: Sequence[Trial], position: str) -> list[str]:
    """What must not be, in words."""
    found = []
    if inexact := [each for each in trials if each.position == position and not each.exact]:
        found.append(f"{len(inexact)} trials with position {position} were not exact")
    controls = [each for each in trials if each.position != position]
    if controls and not any(each.doubled for each in controls):
        found.append("no control trial shows a row twice: these trials could not have found one")
    if controls and not any(each.lost for each in controls):
        found.append("no control trial lost a row: these trials could not have found one")
    return found


def report(trials: Sequence[Trial]) -> str:
    """The table, and what stands behind it."""
    head = ("position", "trials", "exact", "lost", "doubled", "stopped", "rows lost", "rows doubled")
    lines = [f"{head[0]:40}" + "".join(f"{each:>{len(each) + 3}}" for each in head[1:])]
    for position in POSITIONS:
        ours = [each for each in trials if each.position == position]
        if not ours:
            continue
        figures = (
            *(len(ours), sum(each.exact for each in ours), sum(each.lost > 0 for each in ours)),
            *(sum(each.doubled > 0 for each in ours), sum(bool(each.problem) for each in ours)),
            *(sum(each.lost for each in ours), sum(each.doubled for each in ours)),
        )
        columns = zip(head[1:], figures, strict=True)
        lines.append(f"{WORDS[position]:40}" + "".join(f"{value:{len(name) + 3}}" for name, value in columns))
    done = [each for each in trials if not each.problem]
    sources = Counter(each.sources for each in done if each.position == SEED)
    lines += [f"sources of the seed that agreed: {name}: {count} trials" for name, count in sources.items()]
    lines += [
        f"logs that did not name their end: {sum(not each.end_named for each in done)}",
        f"rows of {KEYLESS} that were streamed: {sum(each.streamed for each in done):,}",
        f"transactions over the cut, at least: {sum(each.spanning for each in done):,}, in "
        f"{sum(each.spanning > 0 for each in done)} trials",
        f"seconds a trial: {sum(each.seconds for each in trials) / max(1, len(trials)):.1f}",
    ]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
