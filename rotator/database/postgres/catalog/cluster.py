"""The queries of what all databases share, as rotator.database.postgres.catalog.queries."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from rotator.database.postgres.catalog.objects import CLOSED_DATABASES
from rotator.database.postgres.names import SERVICE_DATABASE

_DATABASES = f"""
select 'database', array[d.datname]::text[], null, row(
    d.datdba::regrole, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, d.datistemplate, d.datallowconn,
    d.datconnlimit, d.datacl, case when d.datname in ({CLOSED_DATABASES}) then d.xmin::text end,
    to_jsonb(d) - array['oid', 'datfrozenxid', 'datminmxid', 'dattablespace', 'datdba', 'datlastsysoid', 'datacl',
      'datname'], shobj_description(d.oid, 'pg_database'))::text
  from pg_database d where not {SERVICE_DATABASE}
"""
"""Of one that takes no connections, the row's version too, which both sides share since the snapshot: if it was opened
meanwhile, written to, and shut again, this alone tells.
"""

_SETTINGS = """
select 'settings', '{}'::text[], array[
    case when d.oid is null then 'of all databases' else 'of database' end, d.datname,
    case when r.oid is null then 'for all roles' else 'for role' end, r.rolname]::text[], s.setconfig::text
  from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole
 where r.rolname is null or not starts_with(r.rolname::text, 'rotator_')
"""
"""Those of the rotation's own login are made on blue after the snapshot."""

_ROLES = """
select 'role', array[r.rolname]::text[], null, row(
    r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolconnlimit,
    case when not starts_with(r.rolname::text, 'rotator_') then r.rolvaliduntil end, r.rolbypassrls,
    shobj_description(r.oid, 'pg_authid'),
    (select array_agg(row(g.rolname, m.admin_option)::text order by g.rolname)
       from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid))::text
  from pg_roles r where r.rolname !~ '^pg_'
"""
"""How long the rotation's own login is valid changes on the sending side alone."""

_SUBSCRIPTIONS = """
select 'subscription', array[d.datname, s.subname]::text[], null, row(
    s.subowner::regrole, s.subenabled, s.subslotname, s.subpublications)::text
  from pg_subscription s join pg_database d on d.oid = s.subdbid
 where not starts_with(s.subname::text, 'rotator_')
"""

CLUSTER = (_DATABASES, _SETTINGS, _ROLES, _SUBSCRIPTIONS)
"""Run once: what all databases share."""
