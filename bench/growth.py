"""How a rotation's parts grow with the number of tables, between two real servers: `make bench-growth`.

For each number of tables a fresh pair of servers; every table has an identity column, a key and a few rows. Timed are:

- open: triggers, publication and slot on blue.
- schema: the catalogs of both sides, read and compared.
- verify: the contents of both sides, compared while both run.
- prepare: all that the window does ahead of the pause; writes go on.
- window: its parts, from the fence to the opening of green; and of these, sequences.

Exit code 1 when a part grows faster than the tables, or when the sides differ. Parts of less
than a second, and steps to fewer than 50 tables, are not judged: what a busy machine adds is more than they take.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic
from typing import TypeVar

from pair import Pair, connected, running_blue, version

from rotator.database import compare
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets, Passed

T = TypeVar("T")

TABLES = (50, 500, 5000)
ROWS = 20
BATCH = 100
"""Tables made in one transaction: each takes places in the server's lock table."""
SLACK = 1.5
"""A part may take so much more for each table before it counts as growing faster than they do."""
JUDGED_SECONDS = 1.0
JUDGED_TABLES = 50
BUDGETS = Budgets(calm=1.0, fence=30.0, drain=60.0, recheck=60.0, counters=60.0)
"""Wide, so that a slow part is measured and not given up."""
PARTS = ("open", "schema", "verify", "prepare", "window", "sequences")


@dataclass(frozen=True)
class Row:
    """One number of tables: seconds by part, and what was found wrong."""

    tables: int
    seconds: dict[str, float]
    wrong: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=_numbers, default=TABLES, help="such as 50,500,5000")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each table")
    options = parser.parse_args(arguments)
    server, rows = "", list[Row]()
    for tables in options.tables:
        with running_blue("select 1") as pair:
            server = version(pair.blue)
            rows.append(measure(pair, tables, options.rows))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    wrong = [*(words for row in rows for words in row.wrong), *too_fast(rows)]
    print(report(server, options.rows, rows, wrong))
    return 1 if wrong else 0


def measure(pair: Pair, tables: int, rows: int) -> Row:
    """Fill blue, let green follow, pass the window."""
    fill(pair, tables, rows)
    seconds: dict[str, float] = {}
    channel = pair.forward
    _timed(seconds, "open", lambda: channel.open(strengthen=False, progress=_silent))
    pair.follow()
    sides = [PostgresServer(pair.target(cluster)) for cluster in (pair.blue, pair.green) if cluster is not None]
    blue, green = _timed(seconds, "schema", lambda: [side.schema() for side in sides])
    channel = pair.forward
    verified = _timed(seconds, "verify", lambda: channel.verify(_silent))
    wrong = (*compare.compare_schema(blue, green), *verified.differences)
    began = monotonic()
    with channel.window(BUDGETS, verified.unsettled, retain_back=True) as window:
        window.prepare(_silent, lambda: None)
        seconds["prepare"] = monotonic() - began
        passed: Passed = window.run()
    seconds["window"], seconds["sequences"] = sum(passed.parts.values()), passed.parts["sequences"]
    return Row(tables, seconds, wrong)


def fill(pair: Pair, tables: int, rows: int) -> None:
    """Tables of the same kind, and statistics of them."""
    with connected(pair.target(pair.blue)) as connection:
        for first in range(0, tables, BATCH):
            statements = "".join(_table(number, rows) for number in range(first, min(first + BATCH, tables)))
            connection.execute(f"begin; {statements} commit".encode())
        connection.execute("vacuum analyze")


def _table(number: int, rows: int) -> str:
    name = f"t{number:05}"
    make = f"create table {name} (id int generated always as identity primary key, v text default 'x', n int)"
    return f"{make}; insert into {name} (v, n) select 'v' || i, i from generate_series(1, {rows}) i;"  # noqa: S608


def too_fast(rows: Sequence[Row]) -> list[str]:
    """Parts that grow faster than the tables, in words."""
    found = []
    for less, more in pairwise(rows):
        if more.tables < JUDGED_TABLES:
            continue
        allowed = more.tables / less.tables * SLACK
        for part, seconds in more.seconds.items():
            if seconds >= JUDGED_SECONDS and seconds > less.seconds[part] * allowed:
                found.append(
                    f"{part} grows faster than the tables: {less.seconds[part]:.2f} s with {less.tables:,},"
                    f" {seconds:.2f} s with {more.tables:,}"
                )
    return found


def report(server: str, rows_each: int, rows: Sequence[Row], wrong: Iterable[str]) -> str:
    """The table."""
    head = "".join(f"{part:>10}" for part in PARTS)
    return "\n".join(
        (
            f"PostgreSQL {server}, {rows_each} rows and one identity a table, seconds:",
            f"{'tables':>8}{head}",
            *(_line(row) for row in rows),
            *(wrong or ("nothing grows faster than the tables",)),
        )
    )


def _line(row: Row) -> str:
    return f"{row.tables:>8,}" + "".join(f"{row.seconds[part]:>10.3f}" for part in PARTS)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(word) for word in text.split(",")))


def _timed(seconds: dict[str, float], part: str, work: Callable[[], T]) -> T:
    began = monotonic()
    done = work()
    seconds[part] = monotonic() - began
    return done


def _silent(fraction: float, text: str) -> None:
    """No progress is shown."""


if __name__ == "__main__":
    raise SystemExit(main())
