"""The imprint of a shut server: what its catalogs show, and what must differ if anybody has written past the fence.

Whoever wants to write to a shut table must take its trigger off, replace the trigger's function, bring rows in by
another way, or change the table itself: each leaves another version of a row (xmin) in the catalogs, also when it has
been put back since. Restarts, failovers, VACUUM and ANALYZE leave the versions alone. So two equal imprints prove that
the fence stood all the time in between and nobody but the tool's own subscriptions wrote; one query a database.

What it cannot see: a superuser who edits files or catalogs by hand (pageinspect, pg_surgery, allow_system_table_mods).
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.names import FENCE, OWN_SUBSCRIPTION
from rotator.database.postgres.replication import guard
from rotator.database.postgres.replication.names import Names
from rotator.domain.qualified import qualified

Imprint = Mapping[str, str]
"""Part -> its digest; `at` is the transaction number from which on a version is newer than the imprint."""

_PARTS = f"""
select (select row(count(*), sum(hashtextextended(row(t.oid, t.xmin, t.tgenabled)::text, 0)))::text
          from pg_trigger t where t.tgname = '{FENCE}'),
       (select row(p.oid, p.xmin, p.prosrc = {fence_sql.REFUSAL})::text
          from pg_proc p where p.pronamespace = to_regnamespace('rotator') and p.proname = 'refuse_write'),
       (select array_agg(row(s.oid, s.subname, s.subenabled, s.subslotname)::text order by s.oid)::text
          from pg_subscription s join pg_database d on d.oid = s.subdbid
         where d.datname = current_database()
           and not (s.subname ~ %(own)s and {OWN_SUBSCRIPTION})),
       (select row(count(*), max(oid))::text from pg_largeobject_metadata),
       (select oid::text from pg_database where datname = current_database()),
       pg_snapshot_xmax(pg_current_snapshot())::text
"""
_NEWER = "mod(mod({0}.xmin::text::bigint - %(at)s, 4294967296) + 4294967296, 4294967296) < 2147483648"
"""xmin is the number's lower half, and goes round."""
_TOUCHED = f"""
select distinct n.nspname, c.relname from (
  select t.tgrelid from pg_trigger t where {_NEWER.format("t")}
  union select a.attrelid from pg_attribute a where a.attnum > 0 and {_NEWER.format("a")}
  union select k.conrelid from pg_constraint k where {_NEWER.format("k")}
  union select d.adrelid from pg_attrdef d where {_NEWER.format("d")}
  union select r.ev_class from pg_rewrite r where {_NEWER.format("r")}
  union select x.oid from pg_class x where x.relkind in ('r', 'p') and not exists (
    select from pg_trigger t where t.tgrelid = x.oid and t.tgname = '{FENCE}' and t.tgenabled = 'A')
) touched (id) join pg_class c on c.oid = touched.id join pg_namespace n on n.oid = c.relnamespace
 where {USER_SCHEMA} and c.relkind in ('r', 'p') and c.relpersistence <> 't' order by 1, 2
"""
_MOST_NAMED = 10


def of(connection: Connection, names: Names, schema_hash: tuple[int, int] | None = None) -> dict[str, str]:
    """The imprint of a database now; `light` is guard.light() where it is known."""
    own = {"own": f"^{names.stem}_[0-9]+(_?back)?$"}
    fence, function, foreign_subscriptions, objects, number, at = connection.execute(_PARTS, own).fetchall()[0]
    count, total = schema_hash if schema_hash is not None else guard.schema_hash(connection)
    return {
        "schema": f"{count} {total}",
        "fence": str(fence),
        "function": str(function),
        "feeds": str(foreign_subscriptions),
        "objects": str(objects),
        "database": str(number),
        "at": str(at),
    }


def differs(before: Imprint, now: Imprint) -> bool:
    """Whether anything but the moment is another, or the fence does not refuse."""
    parts = (set(before) | set(now)) - {"at"}
    return not now["function"].endswith(",t)") or any(before.get(part) != now.get(part) for part in parts)


def changes(connection: Connection, before: Imprint, now: Imprint) -> tuple[str, ...]:
    """What has been changed in this database since `before`, in words; empty when nothing has."""
    if not differs(before, now):
        return ()
    name = connection.info.dbname
    found = []
    if before.get("fence") != now["fence"] or before.get("schema") != now["schema"]:
        rows = connection.execute(_TOUCHED, {"at": int(before.get("at", 0))}).fetchall()
        tables = [qualified(name, str(schema), str(table)) for schema, table in rows]
        more = f" and {len(tables) - _MOST_NAMED} more" if len(tables) > _MOST_NAMED else ""
        listed = ", ".join(tables[:_MOST_NAMED]) + more
        found.append(f"tables, or the fence on them, were changed: {listed or f'in {name}'}")
    if before.get("function") != now["function"]:
        found.append(f"the fence of {name} was opened or replaced: all of its tables could be written to")
    if before.get("feeds") != now["feeds"]:
        found.append(f"subscriptions in {name} were made or changed: what they apply passes the fence")
    if before.get("objects") != now["objects"]:
        found.append(f"large objects in {name} were made or removed")
    return tuple(found) or (f"{name} is another database, or is not shut",)


def words(connections: Mapping[str, Connection], names: Names, before: Mapping[str, Any]) -> tuple[str, ...]:
    """`changes` of all these databases, by name."""
    found: list[str] = []
    for name, connection in connections.items():
        if name not in before:
            found.append(f"nothing is known of {name} from before")
        else:
            found += changes(connection, before[name], of(connection, names))
    return tuple(found)
