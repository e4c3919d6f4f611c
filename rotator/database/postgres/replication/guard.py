"""The record of DDL while a rotation replicates: an event trigger that notes, never refuses; and a light fingerprint.

Logical replication carries no DDL, so any of it between snapshot and flip may leave green without it. Event triggers
need superuser or rds_superuser; without them the fingerprints alone find what made a difference.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from psycopg import errors, sql

from rotator.database.postgres.catalog.objects import TEMPORARY, USER_SCHEMA
from rotator.database.postgres.connection import APPLICATION, Connection, fires_no_ordinary_trigger
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.names import FENCE, GUARDS, SCHEMA
from rotator.database.postgres.reading.ownership import is_ours, keep_private

_TABLE = f"""
create table if not exists {SCHEMA}.ddl (
  at timestamptz not null default clock_timestamp(), who name not null default session_user, tag text not null,
  object text)
"""
_OURS = "pg_catalog.current_setting('session_replication_role') = 'replica'"
"""What tells a session of the tool from others of the same user, who owns this function: theirs is 'origin', unless
they ask for it. A session's name for itself proves nothing."""
_OURS_IF_NOT = f"pg_catalog.current_setting('application_name') = '{APPLICATION}'"
"""The same where the tool's user may not set it, though it may make event triggers."""
_QUOTED = '"([^"]|"")*"'
"""A quoted name in an identity: what it says inside is no schema's name."""
_BODY = f"""
begin
  if session_user = current_user and {{ours}} then
    return;
  end if;
  if tg_tag in ('REFRESH MATERIALIZED VIEW', 'REINDEX') then
    return;
  end if;
  if tg_event = 'sql_drop' then
    insert into {SCHEMA}.ddl (tag, object)
      select tg_tag, pg_catalog.format('%s %s', o.object_type, o.object_identity)
        from pg_catalog.pg_event_trigger_dropped_objects() o
       where o.original and not o.is_temporary
         and pg_catalog.regexp_replace(o.object_identity, '{_QUOTED}', '""', 'g') !~ '{TEMPORARY}';
  elsif tg_tag in {fence_sql.UNTOLD} then
    insert into {SCHEMA}.ddl (tag) values (tg_tag);
  else
    insert into {SCHEMA}.ddl (tag, object)
      select tg_tag, pg_catalog.format('%s %s', c.object_type, c.object_identity)
        from pg_catalog.pg_event_trigger_ddl_commands() c
       where c.schema_name is distinct from 'pg_temp' and c.schema_name is distinct from '{SCHEMA}'
         and pg_catalog.regexp_replace(c.object_identity, '{_QUOTED}', '""', 'g') !~ '{TEMPORARY}' is not false;
  end if;
end
"""
_FUNCTION = sql.SQL(
    f"create or replace function {SCHEMA}.record_ddl() returns event_trigger language plpgsql security definer"
    f" set search_path = {fence_sql.PATH} as {{}}"
)

LIGHT = f"""
select count(*), coalesce(sum(h), 0) from (
  select hashtextextended(row(c.oid, c.relname, c.relkind, c.relreplident, c.relnatts, c.relchecks, c.relhastriggers,
                              c.relrowsecurity, c.relacl, c.reloptions, c.relowner)::text, 0)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where {USER_SCHEMA} and c.relpersistence <> 't'
  union all
  select hashtextextended(row(a.attrelid, a.attnum, a.xmin)::text, 1)
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
   where {USER_SCHEMA} and c.relpersistence <> 't' and a.attnum > 0
  union all
  select hashtextextended(row(t.oid, t.xmin)::text, 2) from pg_trigger t join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
   where {USER_SCHEMA} and c.relpersistence <> 't' and t.tgname <> '{FENCE}'
  union all
  select hashtextextended(row(r.oid, r.xmin)::text, 3) from pg_rewrite r join pg_class c on c.oid = r.ev_class
    join pg_namespace n on n.oid = c.relnamespace where {USER_SCHEMA}
  union all
  select hashtextextended(row(d.oid, d.xmin)::text, 4) from pg_attrdef d join pg_class c on c.oid = d.adrelid
    join pg_namespace n on n.oid = c.relnamespace where {USER_SCHEMA} and c.relpersistence <> 't'
  union all
  select hashtextextended(row(k.oid, k.xmin)::text, 5)
    from pg_constraint k join pg_namespace n on n.oid = k.connamespace where {USER_SCHEMA}
  union all
  select hashtextextended(row(p.oid, p.xmin)::text, 6)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {USER_SCHEMA}
  union all
  select hashtextextended(row(t.oid, t.xmin)::text, 7)
    from pg_type t join pg_namespace n on n.oid = t.typnamespace where {USER_SCHEMA} and t.typtype in ('d', 'e', 'r')
  union all
  select hashtextextended(row(e.oid, e.xmin)::text, 8) from pg_enum e join pg_type t on t.oid = e.enumtypid
    join pg_namespace n on n.oid = t.typnamespace where {USER_SCHEMA}
  union all
  select hashtextextended(row(p.oid, p.xmin)::text, 9) from pg_policy p join pg_class c on c.oid = p.polrelid
    join pg_namespace n on n.oid = c.relnamespace where {USER_SCHEMA}
  union all
  select hashtextextended(row(q.seqrelid, q.xmin)::text, 10) from pg_sequence q join pg_class c on c.oid = q.seqrelid
    join pg_namespace n on n.oid = c.relnamespace where {USER_SCHEMA}
  union all select hashtextextended(row(n.oid, n.xmin)::text, 11) from pg_namespace n where {USER_SCHEMA}
) x (h)
"""
"""A quick digest of what DDL changes between two moments: rows of one server's catalogs by their versions (xmin).

pg_class by its columns, as its rows also change without DDL (TRUNCATE). Numbers of objects are in it: a table that is
dropped and made again is another one. Temporary objects are not.
"""


def install(connection: Connection) -> None:
    """Begin to record in this database, if we may. ALWAYS: also sessions that keep ordinary triggers from firing."""
    connection.execute(_TABLE)
    ours = _OURS if fires_no_ordinary_trigger(connection) else _OURS_IF_NOT
    connection.execute(_FUNCTION.format(sql.Literal(_BODY.format(ours=ours))))
    keep_private(connection)
    for event, name in GUARDS.items():
        there = connection.execute("select from pg_event_trigger where evtname = %s", [name]).rowcount
        create = "" if there else "create event trigger {0} on {1} execute function {2}.record_ddl(); "
        try:
            connection.execute(
                sql.SQL(create + "alter event trigger {0} enable always").format(
                    sql.Identifier(name), sql.Identifier(event), sql.Identifier(SCHEMA)
                )
            )
        except errors.InsufficientPrivilege:
            return  # preflight's finding no-event-trigger says so


def remove(connection: Connection) -> None:
    """Stop recording, and forget."""
    for name in GUARDS.values():
        if connection.execute("select from pg_event_trigger where evtname = %s", [name]).rowcount:
            connection.execute(sql.SQL("drop event trigger {}").format(sql.Identifier(name)))
    connection.execute(f"drop function if exists {SCHEMA}.record_ddl()")
    connection.execute(f"drop table if exists {SCHEMA}.ddl")


def recorded(database: str, connection: Connection) -> tuple[str, ...]:
    """What was recorded in this database, in words, oldest first."""
    if (
        not is_ours(connection)
        or connection.execute("select from pg_class where oid = to_regclass(%s)", [f"{SCHEMA}.ddl"]).rowcount == 0
    ):
        return ()
    rows = connection.execute(f"select tag, object, who, at from {SCHEMA}.ddl order by at").fetchall()
    return tuple(
        f"{database}: {tag} {what or ''} by {who} at {at:%Y-%m-%d %H:%M:%S} UTC" for tag, what, who, at in rows
    )


def schema_hash(connection: Connection) -> tuple[int, int]:
    """The quick digest of this database's schema."""
    row = connection.execute(LIGHT).fetchone() or (0, 0)
    return int(row[0]), int(row[1])
