"""The catalogs' queries: each gives (kind, parts of the name, what else tells it apart or null, definition as text).

What else: words and names by turns, or one text that PostgreSQL has quoted itself. Names are joined by the reader: a
text joined here by some character would be the same for `a."b.c"` and `"a.b".c`.

Run under `search_path = pg_catalog`, so that every name in a definition comes with its schema. `row(...)::text` keeps
null and '' apart, and columns from running into each other. What a major lacks is read through to_jsonb. Objects that
an extension made are the extension's version; the tool's own schema and triggers are left out.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from rotator.database.postgres.catalog.objects import TEMPORARY, USER_SCHEMA
from rotator.database.postgres.names import EVENT_TRIGGERS, FENCE, GUARDS, SCHEMA


def strings(values: tuple[str, ...]) -> str:
    """As a list in SQL."""
    return ", ".join(f"'{value}'" for value in values)


def _not_of_extension(catalog: str, oid: str) -> str:
    return (
        f"not exists (select from pg_depend x where x.classid = '{catalog}'::regclass and x.objid = {oid}"
        " and x.deptype = 'e')"
    )


WIDE = 100
"""Columns. Above, expressions are not written out: for each of them that takes time by the square of the columns."""


def _as_stored(tree: str) -> str:
    """An expression as its catalog has it, without its place in a statement's text: equal in a physical copy."""
    return f"regexp_replace({tree}::text, ' :location -?[0-9]+', '', 'g')"


_KIND = """case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view'
 when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence' when 'c' then 'type' end"""
_RELATION = "array[n.nspname, c.relname]::text[]"
_OF_RELATION = f"join pg_namespace n on n.oid = c.relnamespace where {USER_SCHEMA} and c.relpersistence <> 't'"

_SCHEMAS = f"""
select 'schema', array[n.nspname]::text[], null,
  row(n.nspowner::regrole, n.nspacl, obj_description(n.oid, 'pg_namespace'))::text
  from pg_namespace n where {USER_SCHEMA}
"""

_RELATIONS = f"""
select {_KIND}, {_RELATION}, null, row(
    c.relkind, c.relpersistence, c.relowner::regrole, c.relacl, c.reloptions, c.relreplident, c.relrowsecurity,
    c.relforcerowsecurity, c.relispartition, c.relispopulated, pg_get_partkeydef(c.oid),
    pg_get_expr(c.relpartbound, 0), (select amname from pg_am where oid = c.relam),
    (select spcname from pg_tablespace where oid = c.reltablespace), c.reloftype::regtype,
    (select reloptions from pg_class t where t.oid = c.reltoastrelid),
    (select array_agg(i.inhparent::regclass::text order by i.inhseqno) from pg_inherits i where i.inhrelid = c.oid),
    (select array_agg(distinct t.tgenabled) from pg_trigger t where t.tgrelid = c.oid and t.tgisinternal),
    (select row(s.srvname, f.ftoptions)::text from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver
      where f.ftrelid = c.oid),
    obj_description(c.oid, 'pg_class'))::text
  from pg_class c {_OF_RELATION} and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

VIEWS = f"""
select c.oid::bigint from pg_class c {_OF_RELATION} and c.relkind in ('v', 'm') order by c.oid
"""
VIEW_DEFINITIONS = f"""
select {_KIND}, {_RELATION}, null, pg_get_viewdef(c.oid)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = any (%s::oid[])
"""
"""Of some of VIEWS at a time: each keeps the tables that it reads locked until the statement ends."""

_COLUMNS = f"""
select {_KIND}, {_RELATION}, array['column', a.attname]::text[], row(
    row_number() over (partition by a.attrelid order by a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
    case when a.attgenerated = '' then pg_get_expr(d.adbin, 0) when c.relnatts > {WIDE} then {_as_stored("d.adbin")}
      else pg_get_expr(d.adbin, d.adrelid) end,
    a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attstorage,
    to_jsonb(a)->>'attcompression', coalesce(nullif(to_jsonb(a)->>'attstattarget', '-1'), ''),
    a.attoptions, a.attfdwoptions, a.attacl, a.attislocal, a.attinhcount, col_description(c.oid, a.attnum))::text
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  {_OF_RELATION} and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c') and a.attnum > 0 and not a.attisdropped
"""

_CONSTRAINTS = f"""
select coalesce({_KIND}, 'domain'), array[n.nspname, coalesce(c.relname, t.typname)]::text[],
  array['constraint', k.conname]::text[], row(
    k.contype, case when k.contype = 'c' and c.relnatts > {WIDE} then {_as_stored("k.conbin")}
      else pg_get_constraintdef(k.oid) end, k.convalidated, k.conislocal, k.coninhcount, k.connoinherit,
    obj_description(k.oid, 'pg_constraint'))::text
  from pg_constraint k left join pg_class c on c.oid = k.conrelid left join pg_type t on t.oid = k.contypid
  join pg_namespace n on n.oid = k.connamespace
 where {USER_SCHEMA} and (c.relname is not null or t.typname is not null)
"""

_INDEXES = f"""
select 'index', {_RELATION}, null, row(
    pg_get_indexdef(c.oid), c.relowner::regrole, i.indisunique, i.indisprimary, i.indisvalid, i.indisready,
    i.indisclustered, i.indisreplident, i.indimmediate, (select spcname from pg_tablespace where oid = c.reltablespace),
    (select array_agg(row(a.attnum, a.attstattarget)::text order by a.attnum) from pg_attribute a
      where a.attrelid = c.oid and a.attstattarget >= 0),
    (select array_agg(h.inhparent::regclass::text) from pg_inherits h where h.inhrelid = c.oid),
    obj_description(c.oid, 'pg_class'))::text
  from pg_index i join pg_class c on c.oid = i.indexrelid {_OF_RELATION}
"""

_TRIGGERS = f"""
select {_KIND}, {_RELATION}, array['trigger', t.tgname]::text[], row(
    pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))::text
  from pg_trigger t join pg_class c on c.oid = t.tgrelid {_OF_RELATION} and not t.tgisinternal
   and not (t.tgname = '{FENCE}' and exists (select from pg_proc p where p.oid = t.tgfoid
                                              and p.pronamespace = to_regnamespace('{SCHEMA}')))
"""

_RULES = f"""
select {_KIND}, {_RELATION}, array['rule', r.rulename]::text[], row(
    pg_get_ruledef(r.oid), r.ev_enabled, obj_description(r.oid, 'pg_rewrite'))::text
  from pg_rewrite r join pg_class c on c.oid = r.ev_class {_OF_RELATION} and r.rulename <> '_RETURN'
"""

_POLICIES = f"""
select {_KIND}, {_RELATION}, array['policy', p.polname]::text[], row(
    p.polcmd, p.polpermissive, (select array_agg(coalesce(r.rolname, 'public') order by 1)
      from unnest(p.polroles) u left join pg_roles r on r.oid = u),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
    obj_description(p.oid, 'pg_policy'))::text
  from pg_policy p join pg_class c on c.oid = p.polrelid {_OF_RELATION}
"""

_SEQUENCES = f"""
select 'sequence', {_RELATION}, null, row(
    format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
    c.relpersistence, c.relowner::regrole, c.relacl,
    (select array_agg(row(d.refobjid::regclass, a.attname)::text) from pg_depend d
       join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0),
    obj_description(c.oid, 'pg_class'))::text
  from pg_sequence s join pg_class c on c.oid = s.seqrelid {_OF_RELATION}
"""

_FUNCTIONS = f"""
select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
  array[n.nspname, p.proname]::text[], array['(' || pg_get_function_identity_arguments(p.oid) || ')'], row(
    case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end,
    (select to_jsonb(g)::text from pg_aggregate g where g.aggfnoid = p.oid),
    p.proowner::regrole, p.proacl, obj_description(p.oid, 'pg_proc'))::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where {USER_SCHEMA} and {_not_of_extension("pg_proc", "p.oid")}
"""

_TYPES = f"""
select case t.typtype when 'd' then 'domain' else 'type' end, array[n.nspname, t.typname]::text[], null, row(
    t.typtype, t.typcategory, t.typispreferred, t.typdelim, t.typlen, t.typbyval, t.typalign, t.typstorage,
    t.typnotnull,
    format_type(nullif(t.typbasetype, 0), t.typtypmod), t.typdefault, t.typcollation::regcollation, t.typinput,
    t.typoutput, t.typowner::regrole, t.typacl,
    (select array_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
    (select row(r.rngsubtype::regtype, r.rngcollation::regcollation, r.rngcanonical, r.rngsubdiff)::text
       from pg_range r where r.rngtypid = t.oid),
    obj_description(t.oid, 'pg_type'))::text
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
 where {USER_SCHEMA} and {_not_of_extension("pg_type", "t.oid")}
   and not exists (select from pg_type e where e.typarray = t.oid)
   and (t.typrelid = 0 or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
"""

_EXTENSIONS = """
select 'extension', array[e.extname]::text[], null, row(
    e.extversion, n.nspname, e.extowner::regrole, e.extrelocatable, e.extcondition,
    obj_description(e.oid, 'pg_extension'))::text
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
"""

_EVENT_TRIGGERS = f"""
select 'event trigger', array[e.evtname]::text[], null, row(
    e.evtevent, e.evtowner::regrole, e.evtfoid::regprocedure, e.evtenabled, e.evttags,
    obj_description(e.oid, 'pg_event_trigger'))::text
  from pg_event_trigger e where e.evtname not in ({strings((*EVENT_TRIGGERS, *GUARDS.values()))})
"""

_DEFAULT_ACLS = """
select 'default privileges', case when n.oid is null then '{}' else array[n.nspname]::text[] end,
  array['of', r.rolname, 'for', d.defaclobjtype]::text[],
  d.defaclacl::text
  from pg_default_acl d join pg_roles r on r.oid = d.defaclrole
  left join pg_namespace n on n.oid = d.defaclnamespace
"""

_TS_MAPS = f"""
select 'text search mapping', array[n.nspname, c.cfgname]::text[], null,
  array_agg(row(m.maptokentype, m.mapseqno, m.mapdict::regdictionary)::text order by m.maptokentype, m.mapseqno)::text
  from pg_ts_config_map m join pg_ts_config c on c.oid = m.mapcfg join pg_namespace n on n.oid = c.cfgnamespace
 where {USER_SCHEMA} group by n.nspname, c.cfgname
"""

_PUBLICATION_TABLES = """
select 'publication', array[p.pubname]::text[], array[' table ' || r.prrelid::regclass::text],
  (to_jsonb(r) - 'oid')::text
  from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
"""

_USER_MAPPINGS = """
select 'user mapping', array[u.srvname]::text[], array['for', u.usename]::text[], u.umoptions::text
  from pg_user_mappings u
"""

DATABASE = (
    _SCHEMAS,
    _RELATIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _TRIGGERS,
    _RULES,
    _POLICIES,
    _SEQUENCES,
    _FUNCTIONS,
    _TYPES,
    _EXTENSIONS,
    _EVENT_TRIGGERS,
    _DEFAULT_ACLS,
    _TS_MAPS,
    _PUBLICATION_TABLES,
    _USER_MAPPINGS,
)
"""Run in every database."""

IDENTIFIED = (
    "pg_cast",
    "pg_operator",
    "pg_opclass",
    "pg_opfamily",
    "pg_amop",
    "pg_amproc",
    "pg_collation",
    "pg_conversion",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_language",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_publication",
    "pg_statistic_ext",
    "pg_transform",
    "pg_am",
)
"""Catalogs of rarer objects, which PostgreSQL names by itself (pg_identify_object)."""

_FIRST_USER_OID = 16384
"""FirstNormalObjectId: what initdb made has lower numbers (PostgreSQL, "System Catalog Declarations")."""


_FAMILY_COLUMNS = {"pg_amop": "amopfamily", "pg_amproc": "amprocfamily"}
"""Catalogs whose rows are an extension's through the operator family that they belong to."""


def generic(catalog: str) -> str:
    """The query of one catalog of IDENTIFIED: rows as JSON without their number."""
    family = _FAMILY_COLUMNS.get(catalog)
    extensions = _not_of_extension("pg_opfamily", f"o.{family}") if family else _not_of_extension(catalog, "o.oid")
    return f"""
select i.type, '{{}}'::text[], array['.' || i.identity],
  row(to_jsonb(o) - 'oid', obj_description(o.oid, '{catalog}'))::text
  from {catalog} o, pg_identify_object('{catalog}'::regclass, o.oid, 0) i
 where o.oid >= {_FIRST_USER_OID} and {extensions} and i.schema is distinct from '{SCHEMA}'
   and i.identity !~ '{TEMPORARY}'
"""
