"""Preflight of one database. Every check gives its findings; none raises for a trouble it looks for."""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Iterator

from rotator.database.postgres.catalog.event_triggers import others_event_triggers
from rotator.database.postgres.catalog.objects import USER_SCHEMA, foreign_parents, writable_relations
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.names import SCHEMA
from rotator.database.postgres.preflight.common import RELATION, listed, relations, rows, user
from rotator.database.postgres.reading.become import how_to_become
from rotator.database.postgres.reading.ownership import foreign, strange
from rotator.database.postgres.reading.rights import remedy, unreadable
from rotator.domain.database import Finding
from rotator.domain.qualified import quoted


def database_findings(database: str, connection: Connection) -> Iterator[Finding]:
    """Foreign schema, privileges, ownership, and whatever a fence, a snapshot or a comparison cannot handle."""
    for check in (
        _foreign_schema,
        _create_privilege,
        _language,
        _ownership,
        _select_privilege,
        _row_security,
        _reading,
        _foreign_parents,
        _large_objects,
        _unlogged,
        _invalid_indexes,
        _collations,
        _jobs,
        _event_triggers,
    ):
        yield from check(database, connection)


def _foreign_schema(database: str, connection: Connection) -> Iterator[Finding]:
    if found := strange(connection):
        error = foreign(database, found)
        yield Finding("foreign-schema", error.what, f"{error.why}. Found: {listed(found)}", error.fix, blocks=True)


def _create_privilege(database: str, connection: Connection) -> Iterator[Finding]:
    if rows(connection, "select 1 where not has_database_privilege(current_database(), 'CREATE')"):
        yield Finding(
            "no-create",
            f"database {database}: {user(connection)} may not create a schema",
            f"the fence needs its schema {SCHEMA!r}",
            f"GRANT CREATE ON DATABASE {quoted(database)} TO {user(connection)};",
            blocks=True,
        )


def _language(database: str, connection: Connection) -> Iterator[Finding]:
    if not rows(
        connection, "select 1 from pg_language where lanname = 'plpgsql' and has_language_privilege(oid, 'USAGE')"
    ):
        yield Finding(
            "no-plpgsql",
            f"database {database} has no language plpgsql that {user(connection)} may use",
            "the fence's function is written in it",
            "CREATE EXTENSION plpgsql;",
            blocks=True,
        )


def _ownership(database: str, connection: Connection) -> Iterator[Finding]:
    foreign = [relation for relation in writable_relations(connection) if not relation.owned]
    if foreign:
        owners = sorted({relation.owner for relation in foreign})
        yield Finding(
            "not-owner",
            f"database {database}: {user(connection)} has not the rights of the owners of {listed(map(str, foreign))}",
            "the fence's trigger can only be made to fire always (ENABLE ALWAYS) with its table's ownership",
            how_to_become(connection, owners),
            blocks=True,
        )


def _select_privilege(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"""{RELATION} where {USER_SCHEMA} and c.relpersistence <> 't' and c.relkind in ('r', 'm', 'S')
      and not (has_schema_privilege(n.oid, 'USAGE') and case c.relkind when 'S'
                 then has_sequence_privilege(c.oid, 'SELECT') else has_table_privilege(c.oid, 'SELECT') end)"""
    if names := relations(connection, query):
        yield Finding(
            "no-select",
            f"database {database}: {user(connection)} may not read {listed(names)}",
            "their contents could not be compared",
            f"GRANT pg_read_all_data TO {user(connection)}; (PostgreSQL 14 and later), or USAGE and SELECT on each",
            blocks=True,
        )


def _row_security(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"""{RELATION} where {USER_SCHEMA} and c.relkind in ('r', 'p') and c.relrowsecurity and not (
      select rolsuper or rolbypassrls from pg_roles where rolname = current_user)
      and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'USAGE'))"""
    if names := relations(connection, query):
        yield Finding(
            "row-security",
            f"database {database}: row level security hides rows of {listed(names)} from {user(connection)}",
            "a comparison that sees only some of the rows proves nothing",
            f"ALTER ROLE {user(connection)} BYPASSRLS; or ALTER TABLE ... NO FORCE ROW LEVEL SECURITY;",
            blocks=True,
        )


def _reading(database: str, connection: Connection) -> Iterator[Finding]:
    tables = f"""from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles o on o.oid = c.relowner
     where {USER_SCHEMA} and c.relpersistence <> 't' and c.relkind in ('r', 'm')
       and {unreadable(connection.info.server_version)}"""
    if names := relations(connection, f"select n.nspname, c.relname {tables}"):
        yield Finding(
            "reading-code",
            f"database {database}: {listed(names)} cannot be read as the owners",
            "read as another user, a table could run code of its owner with that user's rights: an index is enough",
            remedy(connection, f"select c.oid {tables}"),
            blocks=True,
        )


def _foreign_parents(database: str, connection: Connection) -> Iterator[Finding]:
    if found := foreign_parents(connection):
        yield Finding(
            "foreign-parent",
            f"database {database}: tables inherit from foreign tables: {listed(found)}",
            "writes to a foreign table reach the tables below it past the fence",
            "ALTER TABLE ... NO INHERIT ...; for the time of the rotation",
            blocks=True,
        )


def _large_objects(database: str, connection: Connection) -> Iterator[Finding]:
    count = rows(connection, "select count(*) from pg_largeobject_metadata")[0]
    if count != "0":
        yield Finding(
            "large-objects",
            f"database {database} has {int(count):,} large objects",
            "no trigger fires for writes to them, so the fence cannot stop such writes, and they are not compared",
            "move them to bytea columns and lo_unlink them",
            blocks=True,
        )


def _unlogged(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"{RELATION} where {USER_SCHEMA} and c.relpersistence = 'u' and c.relkind = 'r'"
    if names := relations(connection, query):
        filled = relations(connection, f"{query} and pg_relation_size(c.oid) > 0")
        yield Finding(
            "unlogged-table",
            f"database {database} has unlogged tables: {listed(filled or names)}",
            "a restored server starts through crash recovery, which empties them"
            + ("" if filled else " (they are empty now)"),
            "ALTER TABLE ... SET LOGGED; or TRUNCATE them before the rotation",
            blocks=bool(filled),
        )


def _invalid_indexes(database: str, connection: Connection) -> Iterator[Finding]:
    query = f"""{RELATION} join pg_index i on i.indexrelid = c.oid where {USER_SCHEMA} and c.relkind = 'i'
      and not (i.indisvalid and i.indisready)"""
    if names := relations(connection, query):
        yield Finding(
            "invalid-index",
            f"database {database} has invalid indexes: {listed(names)}",
            "a concurrent build failed or is running; green gets them as they are",
            "REINDEX INDEX CONCURRENTLY, or drop them",
            blocks=False,
        )


def _collations(database: str, connection: Connection) -> Iterator[Finding]:
    query = """select collname from pg_collation where collversion <> pg_collation_actual_version(oid)"""
    names = rows(connection, query)
    if connection.info.server_version >= 150000:
        names += rows(
            connection,
            """select 'the database''s default' from pg_database where datname = current_database()
               and datcollversion <> pg_database_collation_actual_version(oid)""",
        )
    if names:
        yield Finding(
            "collation-version",
            f"database {database}: the version of collations has changed: {listed(names)}",
            "indexes on text may be in the wrong order; green inherits them",
            "REINDEX what uses them, then ALTER COLLATION ... REFRESH VERSION (or ALTER DATABASE ... likewise)",
            blocks=False,
        )


def _jobs(database: str, connection: Connection) -> Iterator[Finding]:
    if rows(connection, "select 1 from pg_extension where extname = 'pg_cron'"):
        yield Finding(
            "scheduled-jobs",
            f"database {database} has pg_cron",
            "its jobs run on green too from its first minute (until the flip their writes are refused, but not what"
            " they do outside the database), and their run records differ",
            "UPDATE cron.job SET active = false; for the time of the rotation",
            blocks=False,
        )


def _event_triggers(database: str, connection: Connection) -> Iterator[Finding]:
    if found := others_event_triggers(connection):
        yield Finding(
            "event-trigger",
            f"database {database} has event triggers that fire for the tool's own sessions: {listed(found)}",
            "one that refuses stops the rotation halfway; one that writes would make green differ from blue, and fails"
            " on a fenced server",
            "ALTER EVENT TRIGGER ... DISABLE; for the time of the rotation. Ordinary ones (ENABLE) that fire at DDL may"
            f" stay with: GRANT SET ON PARAMETER session_replication_role TO {user(connection)}; (PostgreSQL 15)",
            blocks=True,
        )
