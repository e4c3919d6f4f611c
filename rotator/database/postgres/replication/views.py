"""Materialized views: they are not replicated. Green has them as of the snapshot; those that differ are refreshed."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from rotator.database.compare import capped
from rotator.database.interface import Target
from rotator.database.postgres.catalog.event_triggers import others_event_triggers
from rotator.database.postgres.catalog.objects import USER_SCHEMA, each_database
from rotator.database.postgres.compare import checksum
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.reading.rights import OURS
from rotator.domain.database import Table

_VIEWS = f"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'm' and c.relispopulated and {USER_SCHEMA} order by c.oid
"""  # noqa: S608
"""In the order in which they were made: one may read another."""

_RENDERING = (
    "array_nulls", "bytea_output", "datestyle", "extra_float_digits", "intervalstyle", "lc_monetary", "lc_numeric",
    "lc_time", "search_path", "timezone", "xmlbinary", "xmloption",
)  # fmt: skip
_DEFAULTS = "; ".join(f"set local {name} to default" for name in _RENDERING)
_VIEWS_AGAIN = """
select pg_catalog.set_config(name, boot_val, true) from pg_catalog.pg_settings
 where name in ('restrict_nonsystem_relation_kind', 'constraint_exclusion')
"""
"""A view may read other views: a refresh runs with the rights of its owner alone (PostgreSQL, REFRESH ...)."""
_OWNERS = """
select split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
  from pg_db_role_setting s cross join unnest(s.setconfig) c join pg_settings g on lower(g.name) = split_part(c, '=', 1)
 where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
   and s.setrole in (0, (select relowner from pg_class where oid = %(view)s::regclass))
   and g.context = 'user' and g.name not like '%%timeout' and g.name not like 'default_transaction%%'
   and g.name not in ('role', 'exit_on_error', 'row_security', 'client_encoding')
 order by s.setrole <> 0, s.setdatabase <> 0
"""
"""What a function finds without its schema, and how a view renders values, depends on the settings of who refreshes it:
the database's, then the owner's in all databases, then in this one, as at the begin of a session."""


@dataclass(frozen=True)
class Views:
    """All populated materialized views ('database.schema.name'), those refreshed on the target, and those that could
    not be: these stay there as of the snapshot. With why; of an error its SQLSTATE alone, as its text may quote values.
    """

    all: frozenset[str]
    refreshed: tuple[str, ...]
    stale: tuple[str, ...] = ()


def refresh_stale(source: Target, target: Target) -> Views:
    """Refresh on the target what differs from the source. Its data is newer then than blue's: as of now."""

    def look(database: str, connection: Connection) -> tuple[Table, ...]:
        return tuple(Table(database, str(schema), str(name)) for schema, name in connection.execute(_VIEWS).fetchall())

    found = [view for part in each_database(source, "list the materialized views", look) for view in part]
    refreshed, stale = [], []
    for view in found:
        if _equal(source, target, view):
            continue
        with session(target, view.database, doing=f"refresh {view}") as connection:
            problem = _unsafe(connection, view) or _refresh(connection, view)
        if problem:
            stale.append(f"{view} ({problem})")
        else:
            refreshed.append(str(view))
    return Views(frozenset(map(str, found)), tuple(refreshed), tuple(stale))


def _equal(source: Target, target: Target, view: Table) -> bool:
    def silent(fraction: float | None, text: str) -> None:
        """Views are small beside tables."""

    return checksum.checksum(source, view, silent) == checksum.checksum(target, view, silent)


_OTHERS = f"""
with recursive reached(class, obj, whole) as (
  select 'pg_class'::regclass::oid, %(view)s::regclass::oid, true
  union
  select d.refclassid, d.refobjid, coalesce(c.relkind = 'v', false)
    from reached r join pg_rewrite w on r.class = 'pg_class'::regclass and w.ev_class = r.obj and r.whole
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refobjid <> r.obj
    left join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
)
select pg_describe_object(r.class, r.obj, 0) from reached r
  left join pg_class c on r.class = 'pg_class'::regclass and c.oid = r.obj
  left join pg_proc p on r.class = 'pg_proc'::regclass and p.oid = r.obj
  left join pg_operator x on r.class = 'pg_operator'::regclass and x.oid = r.obj
  left join pg_type t on r.class = 'pg_type'::regclass and t.oid = r.obj
  join pg_roles o on o.oid = coalesce(c.relowner, p.proowner, x.oprowner, t.typowner)
 where not {OURS} order by 1 limit 1
"""  # noqa: S608
"""What the view's query reads or calls that belongs to somebody with less rights than we have."""


def _unsafe(connection: Connection, view: Table) -> str:
    """Why a refresh could run code of others as us, in words; else ''. That of its owner runs as its owner.

    A view of ours runs as us: functions that are called, and those in others' tables' indexes and in their views.
    """
    parameters = {"view": sql.Identifier(view.schema, view.name).as_string(connection)}
    ours = f"select from pg_class c join pg_roles o on o.oid = c.relowner where c.oid = %(view)s::regclass and {OURS}"
    if triggers := others_event_triggers(connection):
        return f"event triggers fire for it: {', '.join(capped(triggers))}"
    if connection.execute(ours, parameters).rowcount:
        row = connection.execute(_OTHERS, parameters).fetchone()
        return f"it belongs to the tool's user and reads {row[0]}, which others can change" if row else ""
    return ""


def _refresh(connection: Connection, view: Table) -> str:
    """Refresh it with the settings that its owner's sessions have; why it cannot be, if so, else ''.

    The fence refuses others' DDL all the time, that of the owner's functions too, which run meanwhile.
    """
    watched = connection.execute(fence_sql.HAS_EVENT_TRIGGERS).fetchone() is not None
    name = sql.Identifier(view.schema, view.name)
    try:
        with connection.transaction():
            if watched:
                connection.execute(fence_sql.ddl_refusal())  # an earlier version's lets no REFRESH through
                connection.execute("select pg_catalog.set_config(%s, 'on', true)", [fence_sql.REFRESHING])
            wanted = connection.execute(_OWNERS, {"view": name.as_string(connection)}).fetchall()
            connection.execute(_VIEWS_AGAIN)
            connection.execute(_DEFAULTS)
            for setting, value in wanted:
                connection.execute("select pg_catalog.set_config(%s, %s, true)", [setting, value])
            connection.execute(sql.SQL("refresh materialized view {}").format(name))
    except psycopg.Error as error:
        if connection.broken:
            raise
        return f"SQLSTATE {error.sqlstate or 'unknown'}"
    return ""
