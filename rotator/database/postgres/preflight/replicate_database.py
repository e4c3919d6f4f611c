"""Preflight of strategy replicate, one database beside its tables: rights, views, extensions, jobs, publications."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator

import psycopg

from rotator.database.postgres.catalog.extensions import has_table
from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.errors import told
from rotator.database.postgres.preflight.common import RELATION, is_privileged, listed, relations, rows, user
from rotator.database.postgres.preflight.replicate_identity import HAS_TABLES
from rotator.database.postgres.replication.membership import OWN
from rotator.database.postgres.replication.names import Names, is_own
from rotator.domain.database import Finding
from rotator.domain.qualified import qualified, quoted

REPLICATING = ("timescaledb", "pglogical")
"""Extensions that move or keep rows by ways of their own, which a publication does not carry."""

_ADVANCE = "pg_replication_origin_advance(text, pg_lsn)"


def database_findings(database: str, connection: Connection, rotation_id: str | None) -> Iterator[Finding]:
    """`rotation_id`: whose publication may be there."""
    yield from _origin_right(database, connection)
    yield from _template(database, connection)
    yield from _materialized_views(database, connection)
    yield from _view_functions(database, connection)
    yield from _extensions(database, connection)
    yield from _jobs(database, connection)
    yield from _publications(database, connection, rotation_id)


def _origin_right(database: str, connection: Connection) -> Iterator[Finding]:
    may = f"select 1 where has_function_privilege('{_ADVANCE}', 'EXECUTE')"
    if rows(connection, HAS_TABLES) and not is_privileged(connection) and not rows(connection, may):
        yield Finding(
            "replication-rights",
            f"database {database}: {user(connection)} may not move a replication origin",
            "green's subscription must begin exactly where its snapshot ends, which is said by moving its origin",
            f"GRANT EXECUTE ON FUNCTION {_ADVANCE} TO {user(connection)};",
            blocks=True,
        )


def _materialized_views(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"{RELATION} where {USER_SCHEMA} and c.relkind = 'm' and c.relispopulated"
    if found := relations(connection, query):
        yield Finding(
            "materialized-view",
            f"database {database} has materialized views: {listed(found)}",
            "their contents are not replicated: before the flip, the tool refreshes on green those that differ",
            "nothing, if refreshing them takes little time; else drop them, and make them anew after the flip",
            blocks=False,
        )


def _view_functions(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"""select distinct n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_rewrite r on r.ev_class = c.oid
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_proc'::regclass
      join pg_proc p on p.oid = d.refobjid join pg_language l on l.oid = p.prolang
     where {USER_SCHEMA} and c.relkind = 'm' and c.relispopulated and l.lanname not in ('internal', 'c')
       and to_jsonb(p)->>'prosqlbody' is null
       and not exists (select from unnest(p.proconfig) s where s like 'search_path=%')"""
    if found := relations(connection, query):
        yield Finding(
            "view-functions",
            f"database {database}: materialized views over functions without a search_path: {listed(found)}",
            "on green they are refreshed with the settings of the database and of their owners; where that does not"
            " find what the functions name, they stay as of the snapshot, and the run says so",
            "ALTER FUNCTION ... SET search_path = ...; or write schemas before the names in it",
            blocks=False,
        )


def _extensions(database: str, connection: Connection) -> Iterator[Finding]:
    """Extensions with tables of their own. pg_cron has findings of its own."""
    query = """select e.extname, array_agg(array[n.nspname, c.relname] order by n.nspname, c.relname)
             filter (where c.oid is not null)
      from pg_extension e
      left join (pg_depend d join pg_class c on c.oid = d.objid and c.relkind in ('r', 'p', 'S')
                 join pg_namespace n on n.oid = c.relnamespace)
        on d.classid = 'pg_class'::regclass and d.refclassid = 'pg_extension'::regclass
       and d.refobjid = e.oid and d.deptype = 'e'
     where e.extname <> 'pg_cron' group by e.extname order by 1"""
    for name, tables in connection.execute(query).fetchall():
        if name in REPLICATING or tables:
            words = listed(qualified(*each) for each in tables or ()) or "no tables by now"
            yield _stateful(database, str(name), words)


def _stateful(database: str, name: str, tables: str) -> Finding:
    if name in REPLICATING:
        return Finding(
            "stateful-extension",
            f"database {database} has the extension {name} ({tables})",
            "it moves or keeps rows in ways that a publication does not carry: green would not be a copy",
            "take strategy snapshot",
            blocks=True,
        )
    return Finding(
        "stateful-extension",
        f"database {database}: the extension {name} keeps state of its own: {tables}",
        "its code writes these tables, on green too: what differs there stops the catching up or the flip; and what it"
        " keeps elsewhere (jobs, files, memory) is not replicated",
        "run nothing during the rotation that changes the extension's state, and look at it after the flip",
        blocks=False,
    )


def _jobs(database: str, connection: Connection) -> Iterator[Finding]:
    if not has_table(connection, "pg_cron", "cron", "job"):
        return
    try:
        active = rows(connection, "select jobid from cron.job where active order by jobid")
    except psycopg.errors.InsufficientPrivilege as error:
        what = f"database {database}: {user(connection)} may not see pg_cron's jobs ({told(error)})"
        where = "active"
    else:
        what, where = (
            f"database {database}: active jobs of pg_cron: {listed(active)}",
            f"jobid IN ({', '.join(active)})",
        )
        if not active:
            return
    yield Finding(
        "active-jobs",
        what,
        "green is open and has the same jobs: they would run there too, from its first minute, and what they write"
        " there is not on blue",
        f"UPDATE cron.job SET active = false WHERE {where}; before the rotation, and back to true after the flip",
        blocks=True,
    )


def _publications(database: str, connection: Connection, rotation_id: str | None) -> Iterator[Finding]:
    found = rows(connection, "select pubname from pg_publication order by 1")
    if foreign := [name for name in found if not is_own(name)]:
        yield Finding(
            "foreign-publication",
            f"database {database} has publications: {listed(foreign)}",
            "they stay, on green too, but their subscribers keep reading from blue",
            "move their subscriptions to green after the flip, with a fresh start of each",
            blocks=False,
        )
    ours = Names(rotation_id).publication if rotation_id is not None else None
    others = rows(connection, f"select p.pubname from pg_publication p where not {OWN}")
    if ours in others:
        yield Finding(
            "publication-taken",
            f"database {database}: publication {ours} belongs to somebody else",
            "the rotation would use that name; what is published, and how, would be for its owner to say",
            f"DROP PUBLICATION {quoted(ours)}; as its owner",
            blocks=True,
        )
    if left := [name for name in found if is_own(name) and name != ours]:
        yield Finding(
            "own-leftover",
            f"database {database} has publications of an earlier rotation: {listed(left)}",
            "an earlier rotation's replication is still there",
            "finish that rotation (retire or rollback), or: "
            + " ".join(f"DROP PUBLICATION {quoted(name)};" for name in left),
            blocks=True,
        )


def _template(database: str, connection: Connection) -> Iterator[Finding]:
    query = "select 1 from pg_database where datname = current_database() and datistemplate"
    if rows(connection, query) and rows(connection, HAS_TABLES):
        yield Finding(
            "template-database",
            f"database {database} is a template with tables",
            "it is replicated like any other, by a connection that stays: until the rotation is over, CREATE DATABASE"
            f" ... TEMPLATE {database} fails with 'being accessed by other users'",
            "make no databases from it until then; they would not reach green anyway, and stop the flip",
            blocks=False,
        )
