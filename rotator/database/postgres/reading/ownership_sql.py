"""The queries of rotator.database.postgres.reading.ownership. All of them read catalogs, which no user can imitate."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from rotator.database.postgres.names import EVENT_TRIGGERS, FENCE, GUARDS, SCHEMA, SCHEMA_COMMENT

TABLES = ("ddl", "marker", "probe", "sentinel")
FUNCTIONS = ("record_ddl", "refuse_ddl", "refuse_write")
DEFAULTS = ("clock_timestamp()", "now()", "SESSION_USER")
"""Defaults of their columns, as pg_get_expr writes them under the tool's search_path."""


def _strings(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


THERE = f"select from pg_namespace where nspname = '{SCHEMA}'"

STRANGE = f"""
with me as (select oid from pg_roles where rolname = current_user),
     s as (select n.* from pg_namespace n where n.nspname = '{SCHEMA}'),
     t as (select c.* from pg_class c join s on s.oid = c.relnamespace where c.relkind = 'r')
select format('schema {SCHEMA} belongs to %I', pg_get_userbyid(s.nspowner)) from s, me where s.nspowner <> me.oid
union all
select 'schema {SCHEMA} has not the comment that this tool gives it' from s
 where obj_description(s.oid, 'pg_namespace') is distinct from '{SCHEMA_COMMENT}'
union all
select format('%s %I belongs to %I', case c.relkind when 'r' then 'table' when 'v' then 'view' else 'relation' end,
              c.relname, pg_get_userbyid(c.relowner))
  from me, s join pg_class c on c.relnamespace = s.oid where c.relowner <> me.oid
union all
select format('%I is no ordinary table of this tool', c.relname)
  from s join pg_class c on c.relnamespace = s.oid
 where not (c.relkind = 'r' and c.relname in ({_strings(TABLES)}) and c.relpersistence = 'p' and not c.relispartition
            and not c.relrowsecurity and not c.relforcerowsecurity)
   and not (c.relkind = 'i' and exists (
        select from pg_index i join t on t.oid = i.indrelid
         where i.indexrelid = c.oid and i.indexprs is null and i.indpred is null))
union all
select format('table %I has the trigger %I', t.relname, g.tgname) from t join pg_trigger g on g.tgrelid = t.oid
 where not (g.tgname = '{FENCE}' and exists (
        select from pg_proc p join s on s.oid = p.pronamespace where p.oid = g.tgfoid))
union all
select format('table %I has the rule %I', t.relname, r.rulename) from t join pg_rewrite r on r.ev_class = t.oid
union all
select format('table %I has the policy %I', t.relname, p.polname) from t join pg_policy p on p.polrelid = t.oid
union all
select format('table %I inherits, or is inherited from', t.relname) from t
 where exists (select from pg_inherits i where t.oid in (i.inhrelid, i.inhparent))
union all
select format('table %I has the constraint %I', t.relname, k.conname)
  from t join pg_constraint k on t.oid in (k.conrelid, k.confrelid) where k.contype not in ('p', 'n')
union all
select format('column %I of %I is of a type that users made', a.attname, t.relname)
  from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  join pg_type y on y.oid = a.atttypid where y.typnamespace <> 'pg_catalog'::regnamespace
union all
select format('column %I of %I has another default', a.attname, t.relname)
  from t join pg_attrdef d on d.adrelid = t.oid join pg_attribute a on a.attrelid = t.oid and a.attnum = d.adnum
 where a.attgenerated <> '' or pg_get_expr(d.adbin, d.adrelid) not in ({_strings(DEFAULTS)})
union all
select format('function %s belongs to %I', p.oid::regprocedure, pg_get_userbyid(p.proowner))
  from me, s join pg_proc p on p.pronamespace = s.oid where p.proowner <> me.oid
union all
select format('function %s is none of this tool', p.oid::regprocedure)
  from s join pg_proc p on p.pronamespace = s.oid join pg_language l on l.oid = p.prolang
 where not (p.proname in ({_strings(FUNCTIONS)}) and p.pronargs = 0 and p.prokind = 'f' and l.lanname = 'plpgsql'
            and p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype))
union all
select format('%s is in the schema', pg_describe_object(d.classid, d.objid, d.objsubid))
  from s join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = s.oid
 where d.classid not in ('pg_class'::regclass, 'pg_proc'::regclass)
   and not (d.classid = 'pg_default_acl'::regclass and exists (
        select from pg_default_acl a, me where a.oid = d.objid and a.defaclrole <> me.oid))
union all
select format('event trigger %I belongs to %I, or is another one', e.evtname, pg_get_userbyid(e.evtowner))
  from me, pg_event_trigger e
 where e.evtname in ({_strings((*EVENT_TRIGGERS, *GUARDS.values()))})
   and (e.evtowner <> me.oid or not exists (
        select from pg_proc p join s on s.oid = p.pronamespace where p.oid = e.evtfoid))
"""
"""One line for each thing that the tool did not make, or that is somebody else's. Default privileges of others, which
anybody may have in any schema, give rights to what they make themselves: here, nothing."""

GRANTED = f"""
with s as (select n.* from pg_namespace n where n.nspname = '{SCHEMA}'),
     a as (
select 'schema' as kind, null::name as name, s.nspowner as owner, x.grantee from s, aclexplode(s.nspacl) x
union
select 'table', c.relname, c.relowner, x.grantee
  from s join pg_class c on c.relnamespace = s.oid and c.relkind = 'r', aclexplode(c.relacl) x
union
select 'table', c.relname, c.relowner, x.grantee
  from s join pg_class c on c.relnamespace = s.oid and c.relkind = 'r'
  join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) x
union
select 'function', p.proname, p.proowner, x.grantee
  from s join pg_proc p on p.pronamespace = s.oid, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x)
select a.kind, a.name, r.rolname from a left join pg_roles r on r.oid = a.grantee where a.grantee <> a.owner
"""
"""Who else has rights there: (schema | table | function, its name, the role; none for all roles). Functions are open to
all by default.
"""
