"""The sending side: a login for the rotation, sentinel tables, publications, slots, and their removal.

Order (tried): the publication before the slot, else decoding fails for a publication that "does not exist" at the
slot's position; REPLICA IDENTITY before the publication, else updates fail on blue in between.
"""

# ruff: noqa: S608  (SQL composed of constants of this package; values are always parameters)
from __future__ import annotations

from collections.abc import Mapping

from psycopg import errors, sql

from rotator.database.interface import Target
from rotator.database.postgres.catalog.objects import USER_SCHEMA, each_database
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.marker import read_marker, stamp
from rotator.database.postgres.names import SCHEMA
from rotator.database.postgres.preflight.replicate_identity import HAS_TABLES, identities
from rotator.database.postgres.reading.ownership import is_ours, keep_private, own_schema
from rotator.database.postgres.replication import guard, login, membership
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.window.covering import gently
from rotator.database.replication import Opened
from rotator.domain.errors import DatabaseError
from rotator.domain.progress import Progress
from rotator.domain.qualified import unquoted

SLOT_SECONDS = 600.0
"""How long making a slot may wait for the transactions that are open (PostgreSQL, "Logical Decoding Concepts")."""

_SENTINEL = f"""
create table if not exists {SCHEMA}.sentinel (token text primary key, at timestamptz not null default clock_timestamp())
"""


_PUBLISHED = f"""
select d.oid::bigint from pg_database d join pg_publication p on p.pubname = %s and {membership.OWN}
 where d.datname = current_database()
"""


def replicated(target: Target, names: Names) -> tuple[tuple[str, int], ...]:
    """(name, number) of every database that has the rotation's publication: on green too, by the snapshot.

    Those without a table have none. They are fenced, their DDL is recorded and their sequences are moved, but there is
    nothing in them that a slot, a sender and a worker each would be needed for.
    """

    def look(name: str, connection: Connection) -> tuple[str, int] | None:
        row = connection.execute(_PUBLISHED, [names.publication]).fetchone()
        return (name, int(row[0])) if row else None

    return tuple(found for found in each_database(target, "look at the publications", look) if found is not None)


def to_replicate(target: Target) -> tuple[str, ...]:
    """Databases that need a publication: those with tables, and the one where the tool keeps its marker."""

    def look(name: str, connection: Connection) -> str | None:
        wanted = name == target.database or connection.execute(sql.SQL(HAS_TABLES)).fetchone()
        return name if wanted else None

    return tuple(name for name in each_database(target, "list the tables", look) if name is not None)


def without_identity(target: Target) -> dict[str, str]:
    """'database.schema.table' -> setting (pg_class.relreplident), of tables without a usable replica identity."""

    def look(name: str, connection: Connection) -> dict[str, str]:
        return {each.within(name): each.setting for each in identities(connection) if each.lacking}

    parts = each_database(target, "look at the replica identities", look)
    return {table: setting for part in parts for table, setting in part.items()}


def open_publications(target: Target, names: Names, *, strengthen: bool) -> Opened:
    """Login, sentinels, record of DDL, identities, publications; what stands then."""
    stamp(target, names.rotation_id)
    published = to_replicate(target)
    with session(target, doing="make the rotation's login") as connection:
        login.make(connection, names, published)
    tables, full = 0, list[str]()
    each_database(target, "record DDL", lambda _, connection: _record(connection))
    for name in published:
        with session(target, name, doing="publish the tables") as connection:
            connection.execute(_SENTINEL)
            keep_private(connection)
            found = identities(connection)
            lacking = [each for each in found if each.lacking]
            if lacking and not strengthen:
                raise _no_identity(name, [str(each) for each in lacking])
            for each in lacking:
                gently(connection, sql.SQL("alter table {} replica identity full").format(each.identifier), str(each))
            full += [each.within(name) for each in lacking]
            membership.publish(
                connection, names.publication, [(SCHEMA, "sentinel"), *((each.schema, each.name) for each in found)]
            )
            tables += len(found)
    return Opened(published, tables, tuple(full))


def _record(connection: Connection) -> None:
    """In every database: also where there is no table yet, one could be made and filled."""
    own_schema(connection)
    guard.install(connection)


def _no_identity(database: str, tables: list[str]) -> DatabaseError:
    return DatabaseError(
        f"database {database} has tables without a replica identity: {', '.join(tables)}",
        why="once they are published, their updates and deletes would fail on blue",
        fix="add primary keys, or set [rotation] replica_identity_full = true",
        code="no-replica-identity",
    )


def open_slots(target: Target, names: Names, progress: Progress) -> None:
    """One slot in every replicated database, unless it is there; then the sentinel that says so."""
    for name, oid in replicated(target, names):
        with session(target, name, doing=f"make the replication slot of {name}") as connection:
            slot = names.slot(oid)
            if connection.execute("select from pg_replication_slots where slot_name = %s", [slot]).rowcount:
                continue
            progress(0.0, f"slot of {name}: waiting for the transactions that are open now")
            connection.execute("select set_config('statement_timeout', %s, false)", [str(int(SLOT_SECONDS * 1000))])
            connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])


def close_slots(target: Target, names: Names) -> tuple[str, ...]:
    """End their senders and drop the slots of this direction; those of a database that is gone too. Words."""
    done = []
    with session(target, doing="remove the replication slots") as connection:
        rows = connection.execute("select slot_name from pg_replication_slots where slot_name ~ %s", [names.pattern])
        for (slot,) in rows.fetchall():
            connection.execute(_END_SENDER, [slot])
            _drop_slot(connection, str(slot))
            done.append(f"slot {slot} removed")
    return tuple(done)


_END_SENDER = """
select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = %s and active_pid is not null
"""
_DROP_ATTEMPTS = 50


def _drop_slot(connection: Connection, slot: str) -> None:
    """Drop it; a sender that has been told to end holds it for a moment."""
    for attempt in range(_DROP_ATTEMPTS):
        try:
            connection.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [slot]
            )
        except errors.ObjectInUse:
            if attempt == _DROP_ATTEMPTS - 1:
                raise
            connection.execute("select pg_sleep(0.1)")
            connection.execute(_END_SENDER, [slot])
        else:
            return


def close(target: Target, names: Names, full: Mapping[str, str]) -> tuple[str, ...]:
    """Remove publications, sentinels, record of DDL and login; put back the identities that were set to FULL. Words.

    On data of another rotation by now, only what has this one's name: the rest is shared, and that one needs it.
    """
    done: list[str] = []
    anothers = _of_another(target, names)

    def clear(database: str, connection: Connection) -> None:
        if anothers:
            if membership.drop(connection, names.publication):
                done.append(f"publication in {database} removed")
            return
        if connection.execute(fence_sql.HAS_EVENT_TRIGGERS).fetchone():
            # A fenced server that is about to go: its tables stay shut, what is removed here is the tool's own.
            connection.execute(fence_sql.drop_event_triggers())
        if membership.drop(connection, names.publication):
            done.append(f"publication in {database} removed")
        for each in identities(connection):
            before = full.get(each.within(database), full.get(unquoted(database, each.schema, each.name)))
            if before is not None and each.full:
                setting = sql.SQL("nothing" if before == "n" else "default")
                gently(
                    connection,
                    sql.SQL("alter table {} replica identity {}").format(each.identifier, setting),
                    str(each),
                )
                done.append(f"replica identity of {each.within(database)} put back")
        if is_ours(connection):
            guard.remove(connection)
            connection.execute(f"drop table if exists {SCHEMA}.sentinel")

    each_database(target, "remove the publications", clear)
    login.drop(target, names)
    return tuple(done)


def _of_another(target: Target, names: Names) -> bool:
    """Whether the marker is another rotation's."""
    with session(target, doing="read the marker") as connection:
        marker = read_marker(connection)
    return marker is not None and marker.rotation_id not in ("", names.rotation_id)


def unpublished(connection: Connection, names: Names) -> tuple[tuple[str, str], ...]:
    """Tables (schema, name) that the publication lacks: made, or dropped and made again, since `open`."""
    rows = connection.execute(
        f"""select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind = 'r' and c.relpersistence = 'p' and {USER_SCHEMA} and not exists (
               select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                where r.prrelid = c.oid and p.pubname = %s and {membership.OWN}) order by 1, 2""",
        [names.publication],
    ).fetchall()
    return tuple((str(schema), str(name)) for schema, name in rows)
