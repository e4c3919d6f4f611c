"""The fence's SQL. What it makes in a database, what a look at the catalogs must find, and who is in the way."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from psycopg import sql

from rotator.database.postgres.catalog.objects import Relation
from rotator.database.postgres.names import DDL_FENCES, EVENT_TRIGGERS, FENCE, SCHEMA

PATH = "pg_catalog, pg_temp"
"""search_path of every function that the tool leaves in a database: else a caller's own operators decide in it."""
_OWNER = f"(select n.nspowner from pg_catalog.pg_namespace n where n.nspname = '{SCHEMA}')"
_APPLIED = f"""
  if tg_op = 'TRUNCATE' and exists (select from pg_catalog.pg_stat_subscription s
                                      join pg_catalog.pg_subscription u on u.oid = s.subid
                                     where s.pid = pg_catalog.pg_backend_pid() and u.subowner = {_OWNER}
                                       and pg_catalog.starts_with(s.subname::text, 'rotator_')) then
    return null;
  end if;"""
"""Applying changes fires statement triggers for TRUNCATE alone; the tool's own subscription may do that."""
_LEASE = """
  -- lease until [{until}]
  if pg_catalog.clock_timestamp() >= timestamptz '{until}' then
    return{result};
  end if;"""
_REFUSE = """
  raise exception 'table %.% takes no writes now: its database is moving to a new encryption key',
                  tg_table_schema, tg_table_name
    using errcode = '25006', hint = 'Nothing was written. Connect again and retry.';
end
"""
_REFUSE_BODY = f"\nbegin{_APPLIED}{_REFUSE}"
_OPEN_BODY = """
begin
  return null;
end
"""
_OPEN_DDL_BODY = """
begin
  return;
end
"""
_BY_US = f"session_user = pg_catalog.pg_get_userbyid({_OWNER})"
UNTOLD = "('REASSIGN OWNED', 'DROP OWNED')"
"""Commands that change owners and rights, of which event triggers are told the name alone."""
REFRESHING = "rotator.refreshing"
"""Setting of a transaction: it is the tool that refreshes a view. Applications may log in as the tool's user too."""
_OWN_OBJECT = f"""({{0}}.object_type = 'subscription' or {{0}}.object_type like 'publication%')
                        and pg_catalog.strpos({{0}}.object_identity, 'rotator_') > 0
                        and {_BY_US}"""
_REFUSE_DDL = f"""
  if tg_event = 'sql_drop' then
    if not exists (select from pg_catalog.pg_event_trigger_dropped_objects() o where not o.is_temporary
                      and not ({_OWN_OBJECT.format("o")})) then
      return;
    end if;
  elsif tg_tag not in {UNTOLD} and not (current_user <> session_user and {_BY_US}
             and not exists (select from pg_catalog.pg_event_trigger_ddl_commands()))
    and not exists (select from pg_catalog.pg_event_trigger_ddl_commands() c
                     where (c.schema_name is null or c.schema_name not in ('pg_temp', 'rotator'))
                       and not (c.command_tag = 'REFRESH MATERIALIZED VIEW' and {_BY_US}
                                and coalesce(pg_catalog.current_setting('{REFRESHING}', true), '') = 'on')
                       and not coalesce({_OWN_OBJECT.format("c")}, false)) then
    return;
  end if;
  raise exception '% is refused now: this database is moving to a new encryption key', tg_tag
    using errcode = '25006', hint = 'Nothing was changed. Connect again and retry.';
end
"""
_REFUSE_DDL_BODY = f"\nbegin{_REFUSE_DDL}"
"""Temporary objects go through: reading sessions may need them; and the tool's own publications and subscriptions, and
its refreshing of views. Not what their owners' functions do meanwhile: of what is done within REFRESH PostgreSQL tells
nothing, but who does it. (It tells nothing of an IF NOT EXISTS that found something either.)
25006 is read_only_sql_transaction."""

REFUSAL = sql.Literal(_REFUSE_BODY).as_string().replace("%", "%%")

TRIGGER_TYPE = 2 + 4 + 8 + 16 + 32
"""pg_trigger.tgtype: BEFORE, INSERT, DELETE, UPDATE, TRUNCATE; for each statement (bit 0 not set)."""

_OURS = "p.proowner = (select u.oid from pg_roles u where u.rolname = current_user) and not p.prosecdef"
_MINE = f"{_OURS} and p.proconfig = array['search_path={PATH}']"
"""SQL condition: function `p` does what its text says, whoever fires it."""
_EARLIER = f"({_OURS} and md5(p.prosrc) = '2af54f4b5cf756c383f615cbe3e981d5')"
"""SQL condition: `p` refuses for ever, as a version made it whose functions had no search_path of their own: a rotation
that it began is in its soak with that, and can be ended. Whoever fences anew gets today's.
"""

_COVERED = f"""
   select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = c.oid and t.tgname = '{FENCE}' and t.tgtype = {TRIGGER_TYPE} and t.tgenabled = 'A'
      and t.tgqual is null and t.tgattr = ''::int2vector and t.tgnargs = 0
      and p.pronamespace = to_regnamespace('{SCHEMA}') and p.proname = 'refuse_write' and ({_MINE} or {_EARLIER})"""
"""A table's owner can make a trigger of that name too: one that fires for some rows or columns only does not count."""

UNCOVERED_TABLES = f"select c.oid from pg_class c where c.oid = any (%s::oid[]) and not exists ({_COVERED})"
"""Those of the given tables that do not carry the trigger as it must be, whatever its function does."""

_LEASED = r"substring(p.prosrc from 'lease until \[([^]]+)\]')::timestamptz > clock_timestamp()"
OPEN_TABLES = f"""
select c.oid from pg_class c
 where c.oid = any (%s::oid[]) and not exists ({_COVERED} and (p.prosrc = {REFUSAL} or {_EARLIER} or {_LEASED}))
"""
"""Those of the given tables that take writes: no trigger, one that lets through, or one whose lease is over."""

IS_REFUSING = (
    f"select 1 from pg_proc p where p.pronamespace = to_regnamespace('{SCHEMA}') and p.proname = 'refuse_write'"
    f" and ({_MINE} and p.prosrc = {sql.Literal(_REFUSE_BODY).as_string()} or {_EARLIER})"
)
"""Whether the fence's function refuses for ever."""

IS_EARLIER = f"select 1 from pg_proc p where p.pronamespace = to_regnamespace('{SCHEMA}') and {_EARLIER}"
"""Whether the fence's function is an earlier version's."""

IS_LEASED = (
    f"select 1 from pg_proc p where p.pronamespace = to_regnamespace('{SCHEMA}')"
    " and strpos(p.prosrc, 'lease until [') > 0"
    " and (p.proname = 'refuse_write' or exists (select from pg_event_trigger e where e.evtfoid = p.oid))"
)
"""Whether a function of the fence that is in use refuses for a time only, be it over or not: it may run out between two
looks.
"""

HAS_TRIGGER = f"select 1 from pg_trigger where tgname = '{FENCE}' and tgrelid = %s::oid"

HAS_EVENT_TRIGGERS = (
    "select 1 from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid where e.evtname in ({}) and p.prosrc <> {}"
).format(", ".join(f"'{name}'" for name in EVENT_TRIGGERS), sql.Literal(_OPEN_DDL_BODY).as_string())
"""Whether DDL is refused now."""

FENCED_ANYWHERE = f"""
select n.nspname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
  join pg_namespace n on n.oid = c.relnamespace join pg_proc p on p.oid = t.tgfoid
 where t.tgname = '{FENCE}' and p.pronamespace = to_regnamespace('{SCHEMA}')
 order by n.nspname, c.relname
"""

FUNCTIONS = f"select proname from pg_proc p where pronamespace = to_regnamespace('{SCHEMA}')"
SOUND_FUNCTIONS = f"{FUNCTIONS} and {_MINE}"
"""Names of the fence's functions: all, and those that nobody can argue with."""
PIN_FUNCTION = f"alter function {SCHEMA}.refuse_write() security invoker set search_path = {PATH}"
"""For one that an earlier version made: whether it refuses or lets through, it goes on so."""

WRITERS = """
select l.virtualtransaction, array[n.nspname, c.relname], l.pid, p.gid, a.usename, a.application_name, a.query_start
  from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
  left join pg_stat_activity a on a.pid = l.pid
  left join pg_locks x on x.virtualtransaction = l.virtualtransaction and x.locktype = 'transactionid'
        and x.pid is null and l.pid is null
  left join pg_prepared_xacts p on p.transaction = x.transactionid
 where l.locktype = 'relation' and l.granted and l.relation = any (%s::oid[])
   and l.database = (select oid from pg_database where datname = current_database())
   and l.mode not in ('AccessShareLock', 'RowShareLock') and l.pid is distinct from pg_backend_pid()
 order by 2, 3
"""
"""Who holds a lock that goes with writing or with DDL ("Explicit Locking"). A prepared transaction has no pid."""

NEXT_TRANSACTION = "select pg_current_xact_id()::text::bigint"
"""Greater than every number given out before. (A snapshot's xmax is not: it follows the last one that has ended.)"""
OLDEST_TRANSACTION = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

TRANSACTION_HOLDERS = """
select null, coalesce('database ' || datname, 'the server'), pid, null, usename, application_name, query_start
  from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
union all
select null, 'database ' || database, null, gid, owner, null, prepared from pg_prepared_xacts
 order by 2, 3
"""
"""Who has an open transaction that may have written."""


def install_refusal() -> sql.Composed:
    """The trigger's function: refuses."""
    return _function("refuse_write", "trigger", _REFUSE_BODY)


def leased_refusal(until: str) -> sql.Composed:
    """As install_refusal, but it refuses only until that time of the server's own clock (with its offset).

    When the driver dies in the window, writes go through again then without anybody's hand.
    """
    body = f"\nbegin{_LEASE.format(until=until, result=' null')}{_APPLIED}{_REFUSE}"
    return _function("refuse_write", "trigger", body)


def leased_ddl_refusal(until: str) -> sql.Composed:
    """The same for DDL."""
    return _function("refuse_ddl", "event_trigger", f"\nbegin{_LEASE.format(until=until, result='')}{_REFUSE_DDL}")


def ddl_refusal() -> sql.Composed:
    """The event triggers' function: refuses."""
    return _function("refuse_ddl", "event_trigger", _REFUSE_DDL_BODY)


def open_ddl_refusal() -> sql.Composed:
    """The event triggers' function: lets through."""
    return _function("refuse_ddl", "event_trigger", _OPEN_DDL_BODY)


def open_refusal() -> sql.Composed:
    """The trigger's function: lets through. Takes no lock on any table, so nobody can hold it up."""
    return _function("refuse_write", "trigger", _OPEN_BODY)


def cover(relation: Relation, *, exists: bool) -> sql.Composed:
    """Put the trigger on a table, or in the place of what has its name (`exists`).

    ALWAYS: it fires whatever session_replication_role says.
    """
    names = {"name": sql.Identifier(FENCE), "table": relation.identifier, "schema": sql.Identifier(SCHEMA)}
    create = sql.SQL(
        "create trigger {name} before insert or update or delete or truncate on {table}"
        " for each statement execute function {schema}.refuse_write();"
    ).format(**names)
    always = sql.SQL("alter table only {table} enable always trigger {name}").format(**names)
    drop = sql.SQL("drop trigger {name} on {table}; ").format(**names) if exists else sql.SQL("")
    return drop + create + always


def drop_trigger(schema: str, table: str) -> sql.Composed:
    """Take the trigger off one table."""
    return sql.SQL("drop trigger if exists {} on {}").format(sql.Identifier(FENCE), sql.Identifier(schema, table))


def create_event_triggers(*, refusing: bool = True) -> sql.Composed:
    """DDL is refused too: else a new table, filled after the snapshot, would stay behind on blue."""
    statements: list[sql.Composable] = [ddl_refusal() if refusing else open_ddl_refusal()]
    for event, name in DDL_FENCES.items():
        statements.append(
            sql.SQL(
                "create event trigger {name} on {event} execute function {schema}.refuse_ddl();"
                " alter event trigger {name} enable always"
            ).format(name=sql.Identifier(name), event=sql.Identifier(event), schema=sql.Identifier(SCHEMA))
        )
    return sql.SQL("; ").join(statements)


def drop_event_triggers() -> sql.Composed:
    """Let DDL through again. Commands on event triggers fire none themselves."""
    return sql.SQL("; ").join(
        sql.SQL("drop event trigger if exists {}").format(sql.Identifier(name)) for name in EVENT_TRIGGERS
    )


def _function(name: str, returns: str, body: str) -> sql.Composed:
    return sql.SQL("create or replace function {}() returns {} language plpgsql set search_path = {} as {}").format(
        sql.Identifier(SCHEMA, name), sql.SQL(returns), sql.SQL(PATH), sql.Literal(body)
    )
