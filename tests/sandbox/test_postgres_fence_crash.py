"""Killed in the middle: the server's side of the fence, and the tool itself."""

import subprocess
import sys
import threading

import pytest
from pg_fixture import PgServer
from pg_writers import reached

from rotator.database.postgres.server import PostgresServer
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

FENCED = "select 1 from pg_trigger where tgname = 'rotator_fence'"
WAITING = "select pid from pg_stat_activity where application_name = 'rotator' and wait_event_type = 'Lock'"
RUN = """
import sys
from rotator.database.interface import Target
from rotator.database.postgres.server import PostgresServer
port, database, password = sys.stdin.read().split()
PostgresServer(Target("127.0.0.1", int(port), "postgres", database, None, password, "disable")).fence("r1", 60)
"""


def test_a_killed_backend_leaves_nothing_fenced_in_any_database(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as one, pg.database("create table a (i int)") as two:
        first, last = sorted((one, two))
        server = PostgresServer(pg.target("postgres"))
        caught: list[DatabaseError] = []

        def fence() -> None:
            try:
                server.fence("r1", 60)
            except DatabaseError as error:
                caught.append(error)

        with pg.connect(last) as writer:
            writer.execute("insert into a values (1)")
            fencing = threading.Thread(target=fence)
            fencing.start()
            assert reached(lambda: bool(pg.rows("postgres", WAITING)))
            assert pg.rows(first, FENCED), "the first database is prepared while the second is waited for"
            pg.run(first, "insert into a values (1)")
            pg.run("postgres", f"select pg_terminate_backend(pid) from ({WAITING}) w")
            fencing.join(20)
            writer.commit()
        assert len(caught) == 1
        assert pg.rows(first, FENCED) == pg.rows(last, FENCED) == []
        pg.run(first, "insert into a values (1)")
        assert server.fence("r1", 10).on


def test_a_killed_tool_leaves_every_table_writable(pg: PgServer) -> None:
    with pg.database("create table a (i int)", "create table b (i int)") as name:
        with pg.connect(name) as writer:
            writer.execute("insert into b values (1)")
            tool = subprocess.Popen([sys.executable, "-c", RUN], stdin=subprocess.PIPE, text=True)
            assert tool.stdin is not None
            tool.stdin.write(f"{pg.port} {name} {pg.password}")
            tool.stdin.close()
            assert reached(lambda: bool(pg.rows(name, WAITING)))
            tool.kill()
            tool.wait(10)
            writer.commit()
        alive = "select 1 from pg_stat_activity where application_name = 'rotator'"
        assert reached(lambda: not pg.rows(name, alive))
        server = PostgresServer(pg.target(name))
        assert not server.fence_state().on
        pg.run(name, "insert into a values (1)", "insert into b values (1)", "create table c ()")
        server.unfence()
        assert pg.rows(name, FENCED) == []
