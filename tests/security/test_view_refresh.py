"""The owner of a materialized view, who also owns what the tool refreshes on green: his code and his settings."""

from __future__ import annotations

import pytest
from apply_hooks import OWNER, prepared
from replication_pair import DATABASE, MASTER, PASSWORD, running_pair

from rotator.database.postgres.replication.views import refresh_stale

pytestmark = pytest.mark.postgres

SQUATTED = (
    f"create schema evil authorization {OWNER}",
    f"set role {OWNER}",
    "create domain evil.event_trigger as int",
    "create function evil.who() returns name language plpgsql as $f$ begin return current_user; end $f$",
    "create table item (id int primary key)",
    "create materialized view total as select count(*) n, evil.who() who from item",
    f"alter role {OWNER} set search_path = evil, pg_catalog, public",
    "reset role",
)
OTHER = (
    f"set role {OWNER}",
    "create table other (id int primary key)",
    "create function evil.opens() returns int language plpgsql as $f$ begin"
    " if exists (select from pg_trigger where tgname = 'rotator_fence' and tgrelid = 'public.other'::regclass) then"
    " alter table public.other disable trigger rotator_fence; end if; return 1; end $f$",
    "create materialized view total as select count(*) n, evil.opens() from item",
    "reset role",
)


def test_a_refresh_does_not_open_the_fence_for_the_owners_functions() -> None:
    """The tool's own REFRESH goes through the fence. What runs within it does not."""
    with running_pair(*prepared((), PASSWORD, MASTER), *SQUATTED[:-3], *OTHER, superuser=True) as pair:
        pair.open()
        pair.follow()
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("insert into public.item values (1)")
        pair.forward.catch_up(30.0)
        pair.run("refresh materialized view total")
        seen = refresh_stale(pair.source, pair.target)
        assert seen.refreshed == ()
        assert seen.stale == (f"{DATABASE}.public.total (SQLSTATE 25006)",)
        enabled = "select tgenabled from pg_trigger where tgname = 'rotator_fence' and tgrelid = 'other'::regclass"
        assert pair.rows(enabled, pair.green) == [("A",)]


def test_a_refresh_runs_as_the_views_owner_and_what_follows_has_the_tools_settings() -> None:
    """With his search_path, names of the tool's own statements would be looked up in his schema first."""
    with running_pair(*prepared((), PASSWORD, MASTER), *SQUATTED, superuser=True) as pair:
        pair.open()
        pair.follow()
        with pair.connect(user=OWNER) as mallory:
            mallory.execute("insert into public.item values (1)")
        pair.forward.catch_up(30.0)
        pair.run("refresh materialized view total")
        seen = refresh_stale(pair.source, pair.target)
        assert seen.refreshed == (f"{DATABASE}.public.total",)
        assert pair.rows("select n, who from total", pair.green) == [(1, OWNER)]
