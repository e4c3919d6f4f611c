"""Adversarial clients: each keeps writing by its own route, whatever it is told, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from pg_fixture import PgServer

Write = Callable[[psycopg.Connection[Any], int], None]

TABLES = (
    "create table ack (writer text, n int)",
    "create table plain (id bigserial primary key, v text)",
    "create table parent (id int primary key)",
    "create table child (id int references parent on delete cascade)",
    "insert into parent select i from generate_series(1, 100000) i",
    "insert into child select i from generate_series(1, 100000) i",
    "create table part (id int, v text) partition by range (id)",
    "create table part1 partition of part for values from (0) to (1000000)",
    "create unlogged table scratch (v text)",
    "create function sneak(n int) returns void language plpgsql security definer as"
    " $$ begin insert into plain (v) values ('function ' || n); end $$",
)


def plain(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("insert into plain (v) values (%s)", [str(n)])


def read_write(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("set default_transaction_read_only = off")
    connection.execute("begin read write")
    connection.execute("insert into plain (v) values ('rw')")
    connection.execute("commit")


def replica_role(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("set session_replication_role = replica")
    connection.execute("update plain set v = v || 'x' where id = (select max(id) from plain)")
    connection.execute("insert into plain (v) values ('replica')")


def long_transaction(connection: psycopg.Connection[Any], n: int) -> None:
    with connection.transaction():
        connection.execute("insert into plain (v) values ('long')")
        connection.execute("select pg_sleep(0.3)")
        connection.execute("insert into part values (%s, 'late')", [n])


def copy(connection: psycopg.Connection[Any], n: int) -> None:
    with connection.cursor().copy("copy plain (v) from stdin") as stream:
        stream.write_row(["copied"])


def partition(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("insert into part1 values (%s, 'direct')", [n])


def cascade(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("delete from parent where id = %s", [n])


def writable_cte(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("with w as (insert into plain (v) values ('cte') returning id) select * from w")


def function(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("select sneak(%s)", [n])


def truncate(connection: psycopg.Connection[Any], n: int) -> None:
    connection.execute("truncate scratch")
    connection.execute("insert into scratch values ('x')")


def new_table(connection: psycopg.Connection[Any], n: int) -> None:
    with connection.transaction():
        connection.execute(f"create table new_{threading.get_ident()}_{n} as select 1 as v")
    connection.execute("select pg_sleep(0.05)")


ROUTES: tuple[Write, ...] = (
    plain,
    read_write,
    replica_role,
    long_transaction,
    copy,
    partition,
    cascade,
    writable_cte,
    function,
    truncate,
    new_table,
)


@dataclass
class Writer:
    """What one client got acknowledged, and what it was told instead."""

    name: str
    acknowledged: list[int] = field(default_factory=list, repr=False)
    refused: list[str] = field(default_factory=list, repr=False)

    def run(self, server: PgServer, database: str, write: Write, stop: threading.Event) -> None:
        n, connection = 0, None
        while not stop.is_set():
            n += 1
            try:
                connection = connection or server.connect(database, autocommit=True, prepare_threshold=0)
                write(connection, n)
                connection.execute("insert into ack values (%s, %s)", [self.name, n])
            except psycopg.Error as error:
                self.refused.append(error.sqlstate or "")
                if connection is not None:
                    connection.close()
                connection = None
                stop.wait(0.01)
            else:
                self.acknowledged.append(n)
                stop.wait(0.002)


@contextmanager
def writing(server: PgServer, database: str, routes: tuple[Write, ...] = ROUTES) -> Iterator[tuple[Writer, ...]]:
    """All routes at once, each in a thread of its own; all have written when the body begins."""
    stop = threading.Event()
    writers = tuple(Writer(route.__name__) for route in routes)
    threads = [
        threading.Thread(target=writer.run, args=(server, database, route, stop), daemon=True)
        for writer, route in zip(writers, routes, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        assert reached(lambda: all(writer.acknowledged for writer in writers)), [
            (writer.name, writer.refused[-1:]) for writer in writers if not writer.acknowledged
        ]
        yield writers
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def reached(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until the condition holds."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        pause.wait(0.02)
    return condition()
