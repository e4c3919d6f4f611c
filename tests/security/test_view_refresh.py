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
