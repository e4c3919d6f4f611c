"""Code of the database that applying a change runs on the receiving side, and as whom.

Sources: PostgreSQL manual, "Logical Replication", Security ("run_as_owner"); worker.c, usercontext.c and relation.c of
its source: from version 16 on the worker becomes the table's owner for each change, before that it is its
subscription's owner all the time. Also then it looks for an index to find rows by, on a table without a primary key,
as the subscription's owner, and calls to functions with constant arguments in index expressions run already there.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import FENCE, RDS_SUPERUSER
from rotator.domain.qualified import qualified

AS_TABLE_OWNER = 160000
"""From this version on changes can be applied with the rights of each table's owner."""

_KEYED = """exists (
      select from pg_index i where i.indrelid = c.oid and i.indislive and i.indisvalid and i.indimmediate
         and case c.relreplident when 'i' then i.indisreplident else i.indisprimary end)"""

_SUPERUSER = f"""exists (
      select from pg_roles o where o.oid = p.proowner and (o.rolsuper or exists (
        select from pg_roles r where {RDS_SUPERUSER.format(role="r")} and pg_has_role(o.oid, r.oid, 'USAGE'))))"""
"""Who owns the function `p` has nothing to gain."""

_FUNCTIONS = f"""
with recursive target(rel, schema, name, runner, folder) as (
  select c.oid, n.nspname, c.relname, {{runner}}, case when not {_KEYED} then {{self}} end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and c.relpersistence = 'p' and {USER_SCHEMA}
), reached(rel, ofindex, class, obj) as (
  select s.* from (
    select t.rel, false, 'pg_class'::regclass::oid, t.rel from target t
    union all
    select t.rel, false, 'pg_class'::regclass, a.relid from target t, pg_partition_ancestors(t.rel) a
    union all
    select t.rel, true, 'pg_class'::regclass, i.indexrelid from target t join pg_index i on i.indrelid = t.rel
    union all
    select t.rel, false, 'pg_constraint'::regclass, k.oid
      from target t join pg_constraint k on k.conrelid = t.rel and k.contype = 'c'
    union all
    select t.rel, false, 'pg_attrdef'::regclass, d.oid from target t join pg_attrdef d on d.adrelid = t.rel
    union all
    select t.rel, false, 'pg_trigger'::regclass, g.oid from target t join pg_trigger g on g.tgrelid = t.rel
     where g.tgenabled in ('A', 'R') and not g.tgisinternal and g.tgname <> '{FENCE}'
  ) s
  union
  select r.rel, r.ofindex, x.class, x.obj
    from reached r cross join lateral (
      select d.refclassid, d.refobjid from pg_depend d
       where d.classid = r.class and d.objid = r.obj and d.refclassid in (
         'pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
         'pg_opclass'::regclass, 'pg_opfamily'::regclass)
      union all
      select 'pg_constraint'::regclass, k.oid from pg_constraint k
       where r.class = 'pg_type'::regclass and k.contypid = r.obj
      union all
      select 'pg_class'::regclass, y.typrelid from pg_type y
       where r.class = 'pg_type'::regclass and y.oid = r.obj and y.typrelid <> 0
      union all
      select 'pg_proc'::regclass, f.amproc::oid from pg_amproc f
       where r.class = 'pg_opfamily'::regclass and f.amprocfamily = r.obj
    ) x(class, obj)
)
select distinct t.schema, t.name, p.oid::regprocedure::text, p.proowner::regrole::text, a.runner::regrole::text,
       {{mistrusted}}, not has_function_privilege(a.runner, p.oid, 'EXECUTE')
  from reached r join target t on t.rel = r.rel
  join pg_proc p on r.class = 'pg_proc'::regclass and p.oid = r.obj
  join pg_language l on l.oid = p.prolang
 cross join lateral (select t.runner union select t.folder where r.ofindex and t.folder is not null) a(runner)
 where l.lanname not in ('internal', 'c')
 order by 1, 2, 3, 5
"""
"""What a table is made of, followed through the recorded dependencies: expressions of indexes, checks, defaults (of a
column that blue no longer has), generated columns, partition keys, triggers that fire in replication; then operators,
domains within arrays and rows, ranges. Functions in C are the servers' own: only superusers make them.
"""

_SELF = "(select u.oid from pg_roles u where u.rolname = current_user)"
_MISTRUSTED = f"p.proowner <> a.runner and not {_SUPERUSER} and not ({{may_be}})"
_MAY_BE = "pg_has_role(p.proowner, a.runner, 'MEMBER')"
_MAY_BE_16 = "pg_has_role(p.proowner, a.runner, 'USAGE') or pg_has_role(p.proowner, a.runner, 'SET')"

_OWNERS = f"""
select distinct pg_get_userbyid(c.relowner)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence = 'p' and {USER_SCHEMA} and not pg_has_role(c.relowner, 'SET') order by 1
"""


@dataclass(frozen=True)
class Applied:
    """A function that changes of a table run. `owner`: whose it is; `runner`: as whom it runs (both quoted).

    `mistrusted`: it is not the runner's own, nor of somebody who has the runner's rights anyway. `barred`: the runner
    may not execute it, so that the first change would fail.
    """

    table: str
    function: str
    owner: str
    runner: str
    mistrusted: bool
    barred: bool

    def __str__(self) -> str:
        return f"{self.table}: {self.function} of {self.owner}, which would run as {self.runner}"


def applied(connection: Connection, version: int) -> tuple[Applied, ...]:
    """All functions of this database that are run when this user's subscription applies changes.

    `version` as the server's number, such as 150018: as whom they run depends on it.
    """
    recent = version >= AS_TABLE_OWNER
    query = _FUNCTIONS.format(
        runner="c.relowner" if recent else _SELF,
        self=_SELF if recent else "null::oid",
        mistrusted=_MISTRUSTED.format(may_be=_MAY_BE_16 if recent else _MAY_BE),
    )
    rows = connection.execute(sql.SQL(query)).fetchall()
    return tuple(Applied(qualified(schema, table), *rest) for schema, table, *rest in rows)


def unreachable_owners(connection: Connection) -> tuple[str, ...]:
    """Owners of tables that this user's apply worker could not become; none before version 16."""
    if connection.info.server_version < AS_TABLE_OWNER:
        return ()
    return tuple(str(row[0]) for row in connection.execute(sql.SQL(_OWNERS)).fetchall())
