"""Event triggers of others that fire for the tool's own DDL and logins."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.connection import Connection, fires_no_ordinary_trigger
from rotator.database.postgres.names import EVENT_TRIGGERS, GUARDS

_OURS = ", ".join(f"'{name}'" for name in (*EVENT_TRIGGERS, *GUARDS.values()))


def others_event_triggers(connection: Connection) -> tuple[str, ...]:
    """Their names. The tool's sessions are `session_replication_role = replica` where they may: ordinary ones do not
    fire then.
    """
    fires = "'A', 'R'" if fires_no_ordinary_trigger(connection) else "'O', 'A'"
    query = f"""select e.evtname from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
      join pg_language l on l.oid = p.prolang
     where l.lanname not in ('c', 'internal') and e.evtname not in ({_OURS})
       and (case e.evtevent when 'login' then e.evtenabled in ('O', 'A')
                            when 'table_rewrite' then false else e.evtenabled in ({fires}) end) order by 1"""
    return tuple(str(row[0]) for row in connection.execute(sql.SQL(query)).fetchall())
