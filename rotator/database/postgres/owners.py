"""As whom each table is read: through a function of its owner, made for this session alone, or as ourselves."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from rotator.database.postgres.connection import Connection
from rotator.database.postgres.trust import plans_foreign_code
from rotator.errors import DatabaseError
from rotator.qualified import qualified

Name = tuple[str, str]
"""Schema and table."""

_OURS = """(o.rolname = current_user or o.rolsuper or o.rolname = 'rds_superuser')"""
"""The owner has no less than we have."""


def _able(version: int) -> str:
    """The owner `o` can read its table `c` by a function that we make. `version` as the server's number."""
    member = "SET" if version >= 160000 else "MEMBER"
    return f"""(pg_has_role(o.oid, '{member}') and has_database_privilege(o.oid, current_database(), 'TEMPORARY')
      and has_schema_privilege(o.oid, c.relnamespace, 'USAGE') and has_table_privilege(o.oid, c.oid, 'SELECT')
      and has_language_privilege(o.oid, 'plpgsql', 'USAGE'))"""


def unreadable(version: int) -> str:
    """SQL condition: table `c` of owner `o` can be read neither as its owner nor, without running such code, as us."""
    return f"(not {_OURS} and not {_able(version)} and {plans_foreign_code('c.oid')})"


def _query(version: int) -> str:
    return f"""
select o.oid::bigint, o.rolname, not {_OURS} and {_able(version)}, {unreadable(version)}
  from unnest(%s::text[]) with ordinality w(name, n) join pg_class c on c.oid = w.name::regclass
  join pg_roles o on o.oid = c.relowner order by w.n
"""


_MADE = "select proname from pg_proc where pronamespace = pg_my_temp_schema() and starts_with(proname, 'rotator_read_')"
_MAKE = sql.SQL("""
create function pg_temp.{}(query text) returns setof text[] language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp as 'begin return query execute query; end'
""")

_GRANTEES = """
select distinct x.grantee::regrole::text from pg_proc p, aclexplode(p.proacl) x
 where p.pronamespace = pg_my_temp_schema() and p.proname = %s and x.grantee not in (0, p.proowner)
"""
"""By default privileges of the owner. The function runs any query as its owner: code of another owner, which runs in
this session while his own table is read, must not call it."""
_REVOKE = sql.SQL("revoke all on function pg_temp.{}(text) from {}")
_GRANT = sql.SQL("grant execute on function pg_temp.{}(text) to {}")


@dataclass(frozen=True)
class _Owner:
    """A table's owner: number, name, whether to read as it."""

    oid: int
    name: str
    takes_over: bool

    @property
    def function(self) -> str:
        return f"rotator_read_{self.oid}"


def functions(connection: Connection, tables: Sequence[Name]) -> dict[Name, str | None]:
    """The function in pg_temp to read each table through (None: as ourselves); those that are missing are made.

    Not inside a READ ONLY transaction. Raises DatabaseError 'reading-code'.
    """
    found = _owners(connection, tables)
    wanted = {owner.function: owner for owner in found.values() if owner.takes_over}
    if wanted:
        for (made,) in connection.execute(_MADE).fetchall():
            wanted.pop(str(made), None)
    for owner in wanted.values():
        _make(connection, owner)
    return {table: owner.function if owner.takes_over else None for table, owner in found.items()}


def _owners(connection: Connection, tables: Sequence[Name]) -> dict[Name, _Owner]:
    names = [sql.Identifier(*table).as_string(connection) for table in tables]
    rows = connection.execute(_query(connection.info.server_version), [names]).fetchall()
    found = {}
    for table, (oid, name, takes_over, refused) in zip(tables, rows, strict=True):
        if refused:
            raise _refusal(connection, table, str(name))
        found[table] = _Owner(int(oid), str(name), bool(takes_over))
    return found


def _make(connection: Connection, owner: _Owner) -> None:
    with connection.transaction():
        # Nobody else ever sees it, and it is gone with the session: no need to wait for the disk.
        connection.execute("set local synchronous_commit = off")
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(owner.name)))
        function = sql.Identifier(owner.function)
        connection.execute(_MAKE.format(function))
        grantees = connection.execute(_GRANTEES, [owner.function]).fetchall()  # quoted by the server
        for grantee in ("public", *(str(row[0]) for row in grantees)):
            connection.execute(_REVOKE.format(function, sql.SQL(grantee)))
        connection.execute(_GRANT.format(function, sql.Identifier(connection.info.user)))


def _refusal(connection: Connection, table: Name, owner: str) -> DatabaseError:
    database = connection.info.dbname
    who = sql.Identifier(owner).as_string(connection)
    return DatabaseError(
        f"table {qualified(database, *table)} cannot be read without running code of its owner",
        why=f"expressions of its indexes or statistics call functions of others, and it cannot be read as {owner}",
        fix=f"GRANT {who} TO {sql.Identifier(connection.info.user).as_string(connection)}; GRANT TEMPORARY ON DATABASE"
        f" {sql.Identifier(database).as_string(connection)} TO {who}; and let {owner} use the table's schema",
        code="reading-code",
    )
