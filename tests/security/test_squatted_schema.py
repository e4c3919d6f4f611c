"""A user with CREATE on a database makes the tool's schema before the tool does.

What he gains where it is believed: his own code run as the master, at the latest by the next `rotator status`; or the
fence's function as his own, which he opens when he likes.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pg_fixture import PgServer

from rotator.database.postgres.names import SCHEMA_COMMENT
from rotator.database.postgres.server import PostgresServer
from rotator.domain.errors import DatabaseError

pytestmark = pytest.mark.postgres

RISE = """
create function public.rise() returns text language plpgsql as $$
begin
  execute 'alter role mallory superuser';
  return current_user;
exception when insufficient_privilege then
  return 'no';
end $$
"""
SCHEMA = f"create schema rotator; comment on schema rotator is '{SCHEMA_COMMENT}'"
MARKER = "create table rotator.marker (rotation_id text not null, role text not null, at timestamptz not null)"
PROBE = "create table rotator.probe (token text not null, at timestamptz not null default now())"
VIEW = "create view rotator.marker as select public.rise() as rotation_id, 'blue'::text as role, now() as at"
TRIGGER = """
create function public.rise_on_write() returns trigger language plpgsql as $$
begin perform public.rise(); return new; end $$;
create trigger t before insert on rotator.marker for each row execute function public.rise_on_write();
alter table rotator.marker enable always trigger t
"""
RISEN = "case when public.rise() is null then now() else now() end"
POLICY = """
alter table rotator.marker enable row level security, force row level security;
create policy p on rotator.marker using (public.rise() is not null)
"""
FUNCTION = "create function rotator.refuse_write() returns trigger language plpgsql as $$begin return null; end$$"
SQUATS = {
    "a view as the marker": (SCHEMA, RISE, VIEW),
    "a trigger on the marker": (SCHEMA, RISE, MARKER, PROBE, TRIGGER),
    "a policy on the marker": (SCHEMA, RISE, MARKER, PROBE, POLICY),
    "a default of the probe": (SCHEMA, RISE, MARKER, PROBE.replace("now()", RISEN)),
    "the fence's function": (SCHEMA, FUNCTION),
    "nothing but the schema": (SCHEMA,),
}


@pytest.fixture
def squatted(pg: PgServer) -> Iterator[str]:
    """A database where mallory may make schemas, and nothing else."""
    pg.run("postgres", f"create role mallory login password '{pg.password}'")
    with pg.database("create table public.orders (id int primary key)") as name:
        pg.run(name, f"grant create on database {name} to mallory", "grant create on schema public to mallory")
        yield name
    pg.run("postgres", "drop role mallory")


def squat(pg: PgServer, name: str, *statements: str, user: str = "mallory") -> None:
    with pg.connect(name, user=user, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def has_risen(pg: PgServer) -> bool:
    return bool(pg.rows("postgres", "select rolsuper from pg_roles where rolname = 'mallory'")[0][0])


@pytest.mark.parametrize("statements", SQUATS.values(), ids=SQUATS.keys())
def test_a_squatter_gains_nothing_and_is_named(pg: PgServer, squatted: str, statements: tuple[str, ...]) -> None:
    """Mallory makes the schema, comment and all; then every verb that reads or writes the marker runs as the master."""
    squat(pg, squatted, *statements)
    server = PostgresServer(pg.target(squatted))
    refused = []
    for act in (
        server.fence_state,
        lambda: server.probe("token"),
        lambda: server.has_probe("token"),
        lambda: server.mark("green"),
        lambda: server.fence("r1", 5),
    ):
        try:
            act()
        except DatabaseError as error:
            refused.append(error)
    assert not has_risen(pg), "mallory's code ran as the master"
    assert [error.code for error in refused] == ["foreign-schema"] * 5
    assert all("mallory" in f"{error.details}" and "RENAME TO" in error.fix for error in refused)
    found = {finding.code: finding for finding in server.preflight()}
    assert found["foreign-schema"].blocks
    assert pg.rows(squatted, "select 1 from pg_namespace where nspname = 'rotator'"), "what is his stays his"


def test_what_the_master_was_given_is_looked_at_too(pg: PgServer, squatted: str) -> None:
    """Mallory is gone, and his schema was handed to the master as it was (REASSIGN OWNED), trigger and all."""
    squat(pg, squatted, *SQUATS["a trigger on the marker"])
    pg.run(squatted, "alter schema rotator owner to postgres", "alter table rotator.marker owner to postgres")
    pg.run(squatted, "alter table rotator.probe owner to postgres")
    with pytest.raises(DatabaseError) as caught:
        PostgresServer(pg.target(squatted)).mark("green")
    assert not has_risen(pg)
    assert caught.value.code == "foreign-schema"
    assert "trigger t" in " ".join(caught.value.details)


def test_default_privileges_let_nobody_in(pg: PgServer, squatted: str) -> None:
    """The master's own ALTER DEFAULT PRIVILEGES would let mallory put a trigger on the marker."""
    pg.run(
        squatted,
        "alter default privileges grant all on tables to public",
        "alter default privileges grant all on schemas to mallory",
        "alter default privileges grant execute on functions to mallory",
    )
    server = PostgresServer(pg.target(squatted))
    squat(pg, squatted, RISE)
    server.mark("blue")
    for statement in (
        TRIGGER,
        "create table rotator.ddl (a int)",
        "insert into rotator.marker values ('x', 'y', now())",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            squat(pg, squatted, statement)
    server.mark("green")
    assert not has_risen(pg)
    assert server.fence("r1", 5).on
    granted = pg.rows(
        squatted,
        "select proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
        " where p.pronamespace = 'rotator'::regnamespace and a.grantee <> p.proowner",
    )
    assert granted == [], "nobody else calls, or hangs on a trigger of his own, what the tool leaves"


def test_the_fences_function_cannot_be_somebody_elses(pg: PgServer, squatted: str) -> None:
    """A superuser's CREATE OR REPLACE keeps the owner: mallory would open the fence while it is said to be on."""
    squat(pg, squatted, SCHEMA, FUNCTION)
    server = PostgresServer(pg.target(squatted))
    with pytest.raises(DatabaseError):
        server.fence("r1", 5)
    assert not server_says_on(server)


def test_an_orphan_of_a_former_master_is_named(pg: PgServer, squatted: str) -> None:
    """The tool connected as another user once, and left its schema: no adoption, and what to do stands there."""
    pg.run(squatted, "create role former login superuser")
    PostgresServer(pg.target(squatted)).mark("blue")
    pg.run(squatted, "alter table rotator.marker owner to former", "alter table rotator.probe owner to former")
    pg.run(squatted, "alter schema rotator owner to former")
    with pytest.raises(DatabaseError) as caught:
        PostgresServer(pg.target(squatted)).fence("r1", 5)
    assert "former" in " ".join(caught.value.details)
    pg.run(squatted, "drop owned by former cascade", "drop role former")


def test_a_decoy_does_not_keep_the_fence_up(pg: PgServer, squatted: str) -> None:
    """Mallory's schema in one database must not keep the others shut; what cannot be opened is named at the end."""
    with pg.database("create table public.other (id int primary key)") as other:
        server = PostgresServer(pg.target(other))
        server.fence("r1", 5)
        events = [f"alter event trigger {name} disable" for name in ("rotator_fence_ddl", "rotator_fence_drop")]
        pg.run(squatted, *events, "alter schema rotator owner to mallory")
        with pytest.raises(DatabaseError) as caught:
            server.unfence()
        assert caught.value.code == "foreign-schema"
        assert squatted in caught.value.what
        pg.run(other, "insert into public.other values (1)")
        pg.run(squatted, "alter schema rotator owner to postgres")
        server.unfence()
        pg.run(squatted, "insert into public.orders values (1)")


def server_says_on(server: PostgresServer) -> bool:
    try:
        return server.fence_state().on
    except DatabaseError:
        return False
