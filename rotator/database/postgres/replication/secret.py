"""How a subscription gets the login's password: neither a statement nor a parameter that the tool sends holds it.

A subscription's connection is text of a statement (PostgreSQL, "CREATE SUBSCRIPTION"), and statements are recorded in
many ways. So the server draws a pad, the tool sends the password masked by it, and the server puts the two together
in a statement within a block. Logs of statements, durations and parameters hold the block alone.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import HAS_RDS_SUPERUSER

QUIET = {
    "auto_explain.log_min_duration": "-1",
    "log_min_duration_sample": "-1",
    "log_min_duration_statement": "-1",
    "log_statement": "none",
    "log_transaction_sample_rate": "0",
    "pg_stat_statements.track": "none",
    "pgaudit.log": "none",
}
"""What records statements, and its value for silence. The last two see statements within others."""

_MAY = {
    150000: "has_parameter_privilege(s.name, 'SET')",
    0: "exists (select from pg_roles u where u.rolname = current_user and u.rolsuper)",
}
_ON_RDS = f"""({HAS_RDS_SUPERUSER}
   and coalesce(s.name = any (string_to_array(current_setting('rds.superuser_variables', true), ',')), false))"""

_BLOCK = """
do $do$
declare
  bits bit(256) := ('x' || pg_catalog.current_setting('rotator.pad'))::bit(256)
                   # ('x' || pg_catalog.current_setting('rotator.masked'))::bit(256);
  whole text := pg_catalog.current_setting('rotator.connection') || ' password=';
begin
  for part in 0..3 loop
    whole := whole || pg_catalog.lpad(
      pg_catalog.to_hex(pg_catalog.substring(bits, 64 * part + 1, 64)::bit(64)::bigint), 16, '0');
  end loop;
  execute {text};
exception when query_canceled or others then
  raise exception using errcode = sqlstate, message = sqlerrm;
end $do$
"""
"""Raised anew: an error's context would quote the statement within, in the log and to whoever reads the error."""

_PAD = """
select set_config('rotator.pad', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), false)
"""
_KEPT = ("rotator.pad", "rotator.masked", "rotator.connection")

_EXTENSION = """
select n.nspname, 'pg_stat_statements' = p.proname, p.pronargs from pg_extension e
  join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
  join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid join pg_language l on l.oid = p.prolang
  join pg_namespace n on n.oid = p.pronamespace
 where e.extname = 'pg_stat_statements' and l.lanname = 'c' and has_function_privilege(p.oid, 'EXECUTE')
   and p.proname in ('pg_stat_statements', 'pg_stat_statements_reset')
   and p.pronargs = case p.proname when 'pg_stat_statements' then 1 else p.pronargs end
"""
_ARGUMENTS = 3
"""Of pg_stat_statements_reset before version 17, which has one more (minmax_only)."""
_FORGET = """
select {schema}.pg_stat_statements_reset(s.userid, s.dbid, s.queryid{more}) from {schema}.pg_stat_statements(true) s
 where strpos(s.query, %s) > 0 and strpos(s.query, 'password=') > 0
"""


def give(connection: Connection, text: str, conninfo: str, password: str) -> None:
    """Run the statement that `text` makes of the variable `whole`: `conninfo` with `password` (64 hex digits).

    `text` is an SQL expression without foreign parts.
    """
    with _silence(connection):
        row = connection.execute(_PAD).fetchone()
        pad = int(str(row[0]), 16) if row else 0
        masked = f"{pad ^ int(password, 16):064x}"
        try:
            for name, value in (("rotator.masked", masked), ("rotator.connection", conninfo)):
                connection.execute("select set_config(%s, %s, false)", [name, value])
            connection.execute(sql.SQL(_BLOCK).format(text=sql.SQL(text)))
        finally:
            if not connection.broken:
                for name in _KEPT:
                    connection.execute("select set_config(%s, '', false)", [name])


def forget(connection: Connection, name: str) -> None:
    """Take statements about that subscription out of pg_stat_statements, where the session could not leave them out."""
    found = {bool(view): (str(schema), int(count)) for schema, view, count in connection.execute(_EXTENSION).fetchall()}
    if len(found) == 2 and found[True][0] == found[False][0]:
        # All its arguments: with one left to its default, a function of somebody else could be the better match.
        more = sql.SQL(", false" if found[False][1] > _ARGUMENTS else "")
        connection.execute(sql.SQL(_FORGET).format(schema=sql.Identifier(found[True][0]), more=more), [name])


def can_forget(connection: Connection) -> bool:
    """Whether `forget` would find what it needs in this database."""
    return len({bool(view) for _, view, _ in connection.execute(_EXTENSION).fetchall()}) == 2


def loud(connection: Connection) -> dict[str, str]:
    """Those of QUIET that record statements within others and that this session may not change -> their value."""
    query = f"""select s.name, s.setting from pg_settings s where not ({_may(connection)}) and (
      (s.name = 'pg_stat_statements.track' and s.setting = 'all')
      or (s.name = 'pgaudit.log' and s.setting ~ '(all|ddl)' and s.setting !~ '-ddl'))"""
    return {str(name): str(value) for name, value in connection.execute(sql.SQL(query)).fetchall()}


@contextmanager
def _silence(connection: Connection) -> Iterator[None]:
    """Let nothing record statements, as far as the session may say so."""
    query = f"select s.name from pg_settings s where s.name = any (%s) and ({_may(connection)})"
    changed = [str(row[0]) for row in connection.execute(query, [list(QUIET)]).fetchall()]
    for name in changed:
        connection.execute("select set_config(%s, %s, false)", [name, QUIET[name]])
    try:
        yield
    finally:
        if not connection.broken:
            for name in changed:
                connection.execute(sql.SQL("reset {}").format(sql.SQL(name)))


def _may(connection: Connection) -> str:
    version = connection.info.server_version
    return f"{next(may for least, may in _MAY.items() if version >= least)} or {_ON_RDS}"
