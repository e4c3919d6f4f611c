"""As whom each table is read: through a function of its owner, made for this session alone, or as ourselves.

`reading` looks again, under a lock, whether it is still so.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.reading.rights import OURS, remedy, unreadable
from rotator.domain.errors import DatabaseError
from rotator.domain.qualified import qualified

Name = tuple[str, str]
"""Schema and table."""


def _query(version: int) -> str:
    return f"""
select w.name, c.oid::bigint, c.relkind = 'm', o.oid::bigint, o.rolname, not {OURS}, {unreadable(version)}
  from unnest(%s::text[]) with ordinality w(name, n) join pg_class c on c.oid = w.name::regclass
  join pg_roles o on o.oid = c.relowner order by w.n
"""


_MADE = "select proname from pg_proc where pronamespace = pg_my_temp_schema() and starts_with(proname, 'rotator_')"
CHANGED, ALTERED = "RO001", "RO002"
"""SQLSTATEs of `_SAME`, and of `_MAKE`."""
_SAME = sql.SQL("""
create function pg_temp.rotator_same(relation oid, name text, owner oid) returns void
  language plpgsql as $same$
begin
  if not exists (select from pg_class c
                  where c.oid = relation and c.oid = to_regclass(name) and c.relowner = owner) then
    raise exception using errcode = {}, message = 'not the table that was looked at';
  end if;
end $same$
""").format(CHANGED)
"""As a function, whose plan is kept: half the time of a query. For ourselves alone to call."""
_LOCK = "lock table only {} in access share mode"
_LOCK_VIEW = "prepare rotator_lock as select from only {}; deallocate rotator_lock"
"""LOCK refuses materialized views. What is prepared is parsed, which locks as long, and not yet planned."""
_MAKE = sql.SQL("""
create function pg_temp.{name}(query text) returns setof text[] language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp as '
begin
  if pg_catalog.current_setting(''role'') operator(pg_catalog.<>) current_user then
    raise insufficient_privilege using message = ''for reading the tables of its owner'';
  end if;
  begin
    perform pg_catalog.set_config(''role'', ''none'', true);
    raise exception using errcode = {altered}, message = ''not SECURITY DEFINER'';
  exception when insufficient_privilege then null;
  end;
  return query execute query;
end'
""")
"""It runs any query as its owner. Code of another owner, which runs in this session while his own table is read, must
not call it: that has the role of his reads, and none can SET ROLE there. Rights to the function would not do: they are
given and taken by DDL, which a fenced server refuses, and owners can have default privileges.

It is its owner's, who could alter it if he may use all schemas (pg_read_all_data), but for what it does: make it
SECURITY INVOKER, where SET ROLE is not refused, or give it another search_path."""


@dataclass(frozen=True)
class Seen:
    """A table as it was looked at: its name as SQL; whether it is read as its owner, by `function` in pg_temp, or as
    ourselves. `first`: SQL that locks it, fails with SQLSTATE `CHANGED` if it is another one now, and takes the role.
    """

    name: str
    as_owner: bool
    function: str
    first: str


def look(connection: Connection, tables: Sequence[Name]) -> dict[Name, Seen]:
    """How to read each table. Functions of owners that are missing in this session are made.

    Not inside a READ ONLY transaction. Raises DatabaseError 'reading-code'.
    """
    found = _seen(connection, tables)
    made = {str(row[0]) for row in connection.execute(_MADE).fetchall()}
    if "rotator_same" not in made:
        _make(connection, _SAME, connection.info.user)
    for function, role in {seen.function: role for seen, role in found.values() if seen.as_owner}.items():
        if function not in made:
            _make(connection, _MAKE.format(name=sql.Identifier(function), altered=sql.SQL(f"''{ALTERED}''")), role)
    return {table: seen for table, (seen, _) in found.items()}


def _seen(connection: Connection, tables: Sequence[Name]) -> dict[Name, tuple[Seen, str]]:
    names = [sql.Identifier(*table).as_string(connection) for table in tables]
    rows = connection.execute(_query(connection.info.server_version), [names]).fetchall()
    found = {}
    for table, (name, oid, view, owner, role, as_owner, refused) in zip(tables, rows, strict=True):
        if refused:
            raise _refusal(connection, table, int(oid), str(role))
        reader = f"rotator_read_{owner}"
        same = sql.SQL("select pg_temp.rotator_same({}, {}, {})").format(int(oid), str(name), int(owner))
        first = [(_LOCK_VIEW if view else _LOCK).format(name), same.as_string(connection)]
        if as_owner:
            first.append(sql.SQL("set local role {}").format(sql.Identifier(role)).as_string(connection))
        found[table] = Seen(str(name), bool(as_owner), reader, "; ".join(first)), str(role)
    return found


def _make(connection: Connection, function: sql.Composed, role: str) -> None:
    with connection.transaction():
        # Nobody else ever sees it, and it is gone with the session: no need to wait for the disk.
        connection.execute("set local synchronous_commit = off")
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        connection.execute(function)


def _refusal(connection: Connection, table: Name, number: int, owner: str) -> DatabaseError:
    who = sql.Identifier(owner).as_string(connection)
    return DatabaseError(
        f"table {qualified(connection.info.dbname, *table)} cannot be read as its owner {who}",
        why="read as another user, it could run code of its owner with that user's rights: an index is enough",
        fix=remedy(connection, str(number)),
        code="reading-code",
    )
