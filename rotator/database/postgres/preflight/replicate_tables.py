"""Preflight of strategy replicate, tables of one database: identity of rows, triggers, functions at apply."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from psycopg import sql

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import FENCE
from rotator.database.postgres.preflight.common import listed, rows
from rotator.database.postgres.preflight.replicate_identity import Identity, identities
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified

_SLOW = (
    "every change of a row reads the table on green from its start (measured: 167 changes a second on 100,000 rows),"
    " so that green may never catch up"
)


def table_findings(database: str, connection: Connection, *, strengthen: bool) -> Iterator[Finding]:
    """Every table has at most one of the findings about its identity."""
    version = connection.info.server_version
    left = list(identities(connection))
    for take, finding in _identity_rules(version, strengthen):
        if taken := [each for each in left if take(each)]:
            left = [each for each in left if each not in taken]
            yield finding(database, taken)
    yield from _triggers(database, connection)
    yield from _functions(database, connection)


_Rule = tuple[Callable[[Identity], bool], Callable[[str, Sequence[Identity]], Finding]]


def _identity_rules(version: int, strengthen: bool) -> tuple[_Rule, ...]:
    """What is asked of a table in turn; the first that holds gives its finding."""

    def is_full(each: Identity) -> bool:
        return each.full or (strengthen and each.lacking)

    return (
        (lambda each: each.generated_key or (is_full(each) and each.full_fails_on_blue(version)), _generated_key),
        (lambda each: is_full(each) and each.full_stops_apply, _full_impossible),
        (lambda each: each.full and not each.primary, _full_slow),
        (
            lambda each: each.lacking and each.deferrable and each.setting == "d",
            lambda database, tables: _deferrable_key(database, tables, strengthen),
        ),
        (lambda each: each.lacking, lambda database, tables: _no_identity(database, tables, strengthen)),
    )


def _generated_key(database: str, tables: Sequence[Identity]) -> Finding:
    return Finding(
        "generated-key",
        f"database {database}: generated columns are part of what tells rows apart in {listed(map(str, tables))}",
        "generated columns are not sent: UPDATE and DELETE would fail on blue as soon as the table is published"
        " (PostgreSQL 18), or stop the catching up of green (before)",
        "make a key of other columns: a unique index on NOT NULL columns, and"
        " ALTER TABLE ... REPLICA IDENTITY USING INDEX ...; or take strategy snapshot",
        blocks=True,
    )


def _full_impossible(database: str, tables: Sequence[Identity]) -> Finding:
    words = listed(f"{each} ({', '.join(each.incomparable)})" for each in tables)
    return Finding(
        "full-impossible",
        f"database {database}: without a key, rows of {words} cannot be told apart",
        "the types in brackets have no equality operator: the first UPDATE or DELETE stops the catching up of green",
        "ALTER TABLE ... ADD PRIMARY KEY (...); or change the type, json to jsonb for one; or take strategy snapshot",
        blocks=True,
    )


def _full_slow(database: str, tables: Sequence[Identity]) -> Finding:
    return Finding(
        "full-slow",
        f"database {database}: REPLICA IDENTITY FULL without a primary key on {listed(map(str, tables))}",
        _SLOW,
        "ALTER TABLE ... ADD PRIMARY KEY (...); unless these tables are small or hardly change",
        blocks=False,
    )


def _deferrable_key(database: str, tables: Sequence[Identity], strengthen: bool) -> Finding:
    return Finding(
        "deferrable-key",
        f"database {database}: the primary key is deferrable on {listed(map(str, tables))}",
        "such a key cannot tell rows apart in replication: " + _without_identity(strengthen),
        "a unique index on NOT NULL columns, then ALTER TABLE ... REPLICA IDENTITY USING INDEX ...;"
        + _or_full(tables, strengthen),
        blocks=not strengthen,
    )


def _no_identity(database: str, tables: Sequence[Identity], strengthen: bool) -> Finding:
    return Finding(
        "no-replica-identity",
        f"database {database}: no primary key or other replica identity on {listed(map(str, tables))}",
        _without_identity(strengthen) + "; a table that is only ever inserted into cannot be told from others",
        "ALTER TABLE ... ADD PRIMARY KEY (...); (where there is one: ALTER TABLE ... REPLICA IDENTITY DEFAULT;)"
        + _or_full(tables, strengthen),
        blocks=not strengthen,
    )


def _without_identity(strengthen: bool) -> str:
    if strengthen:
        return f"the tool sets REPLICA IDENTITY FULL on them and puts it back at the end; until then {_SLOW}"
    return "UPDATE and DELETE on them would fail on blue, for the applications, as soon as the tables are published"


def _or_full(tables: Sequence[Identity], strengthen: bool) -> str:
    if strengthen:
        return ""
    hopeless = listed(str(each) for each in tables if each.full_stops_apply)
    return " or [rotation] replica_identity_full = true" + (f" (which does not help {hopeless})" if hopeless else "")


def _triggers(database: str, connection: Connection) -> Iterator[Finding]:
    """Apply fires row triggers, and TRUNCATE's, as session_replication_role = replica does; no rules (tried)."""
    query = f"""select n.nspname, c.relname, t.tgname, case t.tgenabled when 'A' then 'ALWAYS' else 'REPLICA' end
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where {USER_SCHEMA} and c.relkind = 'r' and not t.tgisinternal and t.tgname <> '{FENCE}'
       and t.tgenabled in ('A', 'R') and (t.tgtype::int & 1 > 0 or t.tgtype::int & 32 > 0) order by 1, 2, 3"""
    if found := connection.execute(sql.SQL(query)).fetchall():
        words = (f"{qualified(schema, table)}: {qualified(name)} ({when})" for schema, table, name, when in found)
        yield Finding(
            "always-trigger",
            f"database {database} has triggers that fire in replication too: {listed(words)}",
            "they fire once more on green for every change that comes from blue: what they write would be there twice,"
            " and one that fails stops the catching up",
            "ALTER TABLE ... ENABLE TRIGGER ...; for the time of the rotation (then it fires for applications alone);"
            " one that is REPLICA: ALTER TABLE ... DISABLE TRIGGER ...;",
            blocks=True,
        )


def _functions(database: str, connection: Connection) -> Iterator[Finding]:
    """Apply runs with an empty search_path. Column defaults do not count: all columns' values are sent."""
    query = f"""select distinct format('%s (used by %s)', p.oid::regprocedure,
        pg_describe_object(d.classid, d.objid, d.objsubid))
      from pg_depend d join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
      join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
     where {USER_SCHEMA} and l.lanname not in ('internal', 'c') and p.prosqlbody is null
       and not exists (select from unnest(p.proconfig) s where s like 'search_path=%')
       and case d.classid
             when 'pg_constraint'::regclass then exists (
               select from pg_constraint k where k.oid = d.objid and k.contype = 'c')
             when 'pg_class'::regclass then exists (
               select from pg_class k where k.oid = d.objid and k.relkind in ('i', 'p'))
             when 'pg_attrdef'::regclass then exists (
               select from pg_attrdef k join pg_attribute a on a.attrelid = k.adrelid and a.attnum = k.adnum
                where k.oid = d.objid and a.attgenerated <> '')
             else false end
     order by 1"""
    if found := rows(connection, query):
        yield Finding(
            "search-path",
            f"database {database}: functions without a search_path of their own: {listed(found)}",
            "changes are applied on green with an empty search_path: where such a function uses a name without its"
            " schema, the first change that calls it stops the catching up",
            "ALTER FUNCTION ... SET search_path = ...; or write schemas before the names in it",
            blocks=False,
        )
