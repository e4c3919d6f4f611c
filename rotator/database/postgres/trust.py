"""Whose functions PostgreSQL calls when a value of some type is read, compared or made: conditions as SQL.

Operator classes, base types and functions in C take a superuser to make (PostgreSQL, CREATE OPERATOR CLASS, CREATE
TYPE, CREATE FUNCTION). Casts and domains take nobody but the type's owner.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

_FIRST_USER_OID = 16384


def _foreign(function: str) -> str:
    """The function is neither a superuser's nor one in C. Those that pg_tle makes in C call what users wrote."""
    return f"""exists (
  select from pg_proc f join pg_language l on l.oid = f.prolang join pg_roles o on o.oid = f.proowner
   where f.oid = {function} and f.oid >= {_FIRST_USER_OID} and not o.rolsuper
     and (l.lanname not in ('internal', 'c') or f.probin ~ 'pg_tle'))"""


def makes_calls(typ: str) -> str:
    """Making a value of the type from text, or comparing two of them, may call a user's function.

    `typ`: a type's number, as SQL. It and its parts count. Its own domains do not: they are left out of literals. One
    in a part (of an array, a range, a composite type) is checked by the type's input function. An implicit cast can be
    taken for an operator's argument.
    """
    return f"""{typ} >= {_FIRST_USER_OID} and exists (
  with recursive part(typ, own) as (
    select {typ}, true
    union
    select x.typ, p.own and t.typtype = 'd' from part p join pg_type t on t.oid = p.typ
     cross join lateral (
       select t.typbasetype where t.typtype = 'd'
       union all select t.typelem where t.typelem <> 0
       union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
       union all select r.rngtypid from pg_range r where r.rngmultitypid = t.oid
       union all select f.atttypid from pg_attribute f
                  where f.attrelid = t.typrelid and f.attnum > 0 and not f.attisdropped
     ) x(typ)
  )
  select from part p join pg_type t on t.oid = p.typ where p.typ >= {_FIRST_USER_OID} and (
    (t.typtype = 'd' and not p.own and exists (select from pg_constraint k where k.contypid = p.typ))
    or {_foreign("t.typinput")} or {_foreign("t.typoutput")}
    or exists (select from pg_cast c where c.castsource = p.typ and c.castcontext = 'i' and {_foreign("c.castfunc")})
    or exists (select from pg_range r where r.rngtypid = p.typ and {_foreign("r.rngcanonical")})
    or exists (select from pg_opclass k join pg_amproc m on m.amprocfamily = k.opcfamily
                where k.opcintype = p.typ and {_foreign("m.amproc")})
    or exists (select from pg_opclass k join pg_amop m on m.amopfamily = k.opcfamily
                 join pg_operator b on b.oid = m.amopopr where k.opcintype = p.typ and {_foreign("b.oprcode")})))"""
