"""A window's fence, which opens by itself, is told from one that stays, and is no reason to leave a server unfenced."""

import psycopg
import pytest
from pg_fixture import PgServer

from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.server import PostgresServer

pytestmark = pytest.mark.postgres


def lease(pg: PgServer, name: str, seconds: int) -> None:
    """As a window leaves its fence when the driver dies before the seal."""
    with pg.connect(name) as connection:
        row = connection.execute(f"select (clock_timestamp() + interval '{seconds} s')::text").fetchone()
        assert row is not None
        connection.execute(fence_sql.leased_refusal(row[0]))
        connection.execute(fence_sql.leased_ddl_refusal(row[0]))
        connection.commit()


def test_a_fence_with_a_lease_is_on_and_not_sealed_until_it_is_fenced_again(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as one, pg.database("create table b (i int)") as two:
        server = PostgresServer(pg.target(one))
        assert server.fence("r1", 10).sealed
        lease(pg, two, 3600)
        state = server.fence_state()
        assert (state.on, state.leased, state.sealed) == (True, True, False)
        assert server.fence("r1", 10).sealed
        lease(pg, two, -1)
        over = server.fence_state()
        assert (over.on, over.sealed) == (False, False)
        pg.run(two, "insert into b values (1)")
        assert server.fence("r1", 10).sealed
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pg.run(two, "insert into b values (2)")
        server.unfence()


def test_a_database_without_tables_is_shut_for_good_as_well(pg: PgServer) -> None:
    with pg.database("create table a (i int)") as one, pg.database() as empty:
        server = PostgresServer(pg.target(one))
        server.fence("r1", 10)
        lease(pg, empty, 3600)
        assert not server.fence_state().sealed
        assert server.fence("r1", 10).sealed
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pg.run(empty, "create table late (i int)")
        server.unfence()
