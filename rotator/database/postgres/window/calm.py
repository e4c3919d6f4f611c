"""Waiting for a moment in which the fence ends few transactions; nothing is paused yet."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

import time
from collections.abc import Callable

from rotator.database.postgres.connection import APPLICATION, Connection
from rotator.database.replication import Budgets
from rotator.domain.progress import Progress

CLIENTS = f"""
select pid, usename, application_name, xact_start from pg_stat_activity
 where pid <> pg_backend_pid() and backend_type = 'client backend'
   and not (application_name = '{APPLICATION}' and usename = current_user)
"""
OLDER = f"{CLIENTS} and backend_xid is not null and xact_start < clock_timestamp() - make_interval(secs => %s)"
"""Transactions that have written, and have been open for longer than that."""
_BETWEEN_AGES = f"{OLDER} and xact_start > clock_timestamp() - make_interval(secs => %s)"

LONG_SECONDS = 0.1
"""A transaction that has been open for longer is likely to outlast the grace."""
USUAL_SECONDS = 5.0
"""When those that were long at first have ended, and others are after so long, they are the usual traffic."""
_POLL_SECONDS = 0.02
_BETWEEN_SECONDS = 0.5


def wait_for_calm(one: Connection, budgets: Budgets, progress: Progress, between: Callable[[], None]) -> None:
    """Until no writing transaction has been open for long; not longer than `calm`.

    Where they are the usual traffic, or the time is nearly over: until there is none that would get the grace, for the
    others are ended at once. `between` is done now and then while waiting, and once more at the end.
    """
    began, next_time = time.monotonic(), 0.0
    deadline = began + budgets.calm
    usual, late = began + min(USUAL_SECONDS, budgets.calm / 2), deadline - min(budgets.overdue, budgets.calm / 2)
    rows = one.execute(OLDER, [LONG_SECONDS]).fetchall()
    first = set(rows)
    while rows:
        now = time.monotonic()
        if now >= deadline:
            break
        content = now >= late or (now >= usual and not first & set(rows))
        if content and not one.execute(_BETWEEN_AGES, [LONG_SECONDS, budgets.overdue]).rowcount:
            break
        if now >= next_time:
            progress(0.0, f"waiting for a calm moment: {len(rows)} long transactions")
            between()
            next_time = now + _BETWEEN_SECONDS
        time.sleep(_POLL_SECONDS)
        rows = one.execute(OLDER, [LONG_SECONDS]).fetchall()
    between()
