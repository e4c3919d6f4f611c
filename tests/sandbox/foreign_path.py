"""The whole path of strategy replicate over any database, with writers on its tables; nothing is taken on trust.

Open, snapshot, quarantine, seed, subscribe, catch up, verify, window, way back, and the window of a rollback. Every
transaction of a writer also notes itself in `ledger`, which has no key: what is lost is missing there, what is applied
twice is there twice. In the end, and after the way back has caught up, every row of every table is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from foreign_writers import LEDGER, Operation, Writers
from replication_pair import DATABASE, PASSWORD, Pair

from rotator.database import compare
from rotator.database.interface import Target
from rotator.database.postgres.server import PostgresServer
from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres.cluster import Cluster

NOW = Budgets(calm=5.0, fence=10.0, drain=20.0, recheck=10.0, counters=10.0)
ATTEMPTS = 3
LEDGER_NAME = b"public.ledger"
FEW = 6
"""Transactions of each writer that must be acknowledged between two steps."""

_TABLES = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_'
   and n.nspname not in ('information_schema', 'rotator')
"""

Contents = dict[tuple[str, str], Counter[str]]
"""(database, schema.table) -> rows."""


@dataclass
class Report:
    """What was found; empty when nothing was lost, doubled or different."""

    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    given_up: int = 0


def blocking(pair: Pair) -> list[str]:
    """What preflight refuses this database for."""
    server = PostgresServer(pair.source)
    found = (*server.preflight(), *server.preflight_replicate("local-g1", strengthen=True, headroom=NOW.headroom))
    return [f"{each.code}: {each.what}" for each in found if each.blocks]


def whole_path(pair: Pair, work: Mapping[str, Sequence[Operation]]) -> Report:
    """Blue to green and back again, with writers at work all the time. `work`: database -> what they do in it."""
    for database in work:
        with connected(replace(pair.source, database=database)) as connection:
            if connection.execute("select to_regclass('public.ledger')").fetchone() == (None,):
                connection.execute(LEDGER.encode())
    report = Report()
    with Writers([pair.source], work) as writers:
        writers.wait(FEW)
        pair.open(strengthen=True)
        pair.follow()
        writers.sides.append(pair.target)
        report.wrong += differences(pair)
        report.given_up += flip(pair, writers, back=False)
        pair.turn()
        writers.wait(FEW)
        with writers.paused():
            pair.back.catch_up(60.0)
            report.wrong += unlike(contents(pair.blue), contents(pair.green))
        report.given_up += flip(pair, writers, back=True)
        writers.wait(FEW)
    report.wrong += writers.broken
    there = contents(pair.blue)
    for database in work:
        acknowledged = writers.acknowledged(database)
        report.wrong += counted(acknowledged, there[database, LEDGER_NAME.decode()])
        report.acknowledged += len(acknowledged)
    return report


def differences(pair: Pair) -> list[str]:
    """What validation finds before the flip."""
    blue, green = PostgresServer(pair.source), PostgresServer(pair.target)
    return [
        *compare.compare_schema(blue.schema(), green.schema()),
        *compare.compare_extensions(blue.extensions(), green.extensions()),
        *pair.forward.verify(lambda fraction, text: None).differences,
    ]


def flip(pair: Pair, writers: Writers, *, back: bool) -> int:
    """Pass a window and tell the writers; how many were given up before. Raises DatabaseError."""
    channel = pair.back if back else pair.forward
    for given_up in range(ATTEMPTS):
        found = channel.verify(lambda fraction, text: None)
        if found.differences:
            raise DatabaseError("the sides differ", why="; ".join(found.differences), code="validate-contents")
        try:
            with channel.window(NOW, found.unsettled, retain_back=not back) as window:
                window.prepare(lambda fraction, text: None, lambda: None)
                window.run()
                writers.serving = 0 if back else 1
            return given_up
        except DatabaseError as error:
            if given_up == ATTEMPTS - 1 or error.code == "validate-schema":
                raise
            writers.wait(FEW)
    raise AssertionError("unreachable")


def counted(acknowledged: Sequence[str], there: Counter[str]) -> list[str]:
    """Transactions that are lost, doubled, or were never acknowledged."""
    wanted = Counter(acknowledged)
    lost, more = wanted - there, there - wanted
    return [f"lost: {each}" for each in lost] + [f"too often: {each} x{count}" for each, count in more.items()]


def unlike(blue: Contents, green: Contents) -> list[str]:
    """Rows that only one side has, by table."""
    found = [f"only one side has the table {table}" for table in blue.keys() ^ green.keys()]
    for table in blue.keys() & green.keys():
        for side, rows in (("blue", blue[table] - green[table]), ("green", green[table] - blue[table])):
            found += [f"{table}: only on {side}: {row[:200]} x{count}" for row, count in list(rows.items())[:3]]
    return found


def contents(cluster: Cluster | None) -> Contents:
    """Every row of every table of every database, as text."""
    assert cluster is not None
    found: Contents = {}
    for name in databases(cluster.target(PASSWORD, DATABASE)):
        with connected(cluster.target(PASSWORD, name)) as connection:
            connection.execute("set client_encoding = 'SQL_ASCII'")  # as bytes, whatever the database's encoding is
            for (table,) in connection.execute(_TABLES).fetchall():
                fields = b"t::text" if table == LEDGER_NAME else b"md5(t::text) || ' ' || left(t::text, 60)"
                rows = connection.execute(b"select " + fields + b" from only " + table + b" t").fetchall()
                found[name, table.decode(errors="replace")] = Counter(row.decode(errors="replace") for (row,) in rows)
    return found


def databases(target: Target) -> list[str]:
    with connected(target) as connection:
        rows = connection.execute("select datname from pg_database where datallowconn and datname <> 'rdsadmin'")
        return [str(row[0]) for row in rows]


def connected(target: Target) -> psycopg.Connection[Any]:
    """A client's connection, in autocommit."""
    return psycopg.connect(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password,
        dbname=target.database,
        autocommit=True,
    )
