"""The tool's own schema `rotator`; the marker that tells a lineage of data; the probe that tells if writes go through.

Both tables are in the maintenance database. The marker carries no fence; the probe does, as the application's tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import errors

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, client_session, session
from rotator.database.postgres.reading.ownership import is_ours, keep_private, own_schema

_TABLES = """
create table if not exists rotator.marker (rotation_id text not null, role text not null, at timestamptz not null);
create table if not exists rotator.probe (token text not null, at timestamptz not null default now())
"""
_HAS_TABLES = "select to_regclass('rotator.marker') is not null and to_regclass('rotator.probe') is not null"
_HAS_MARKER = "select from pg_class where oid = to_regclass('rotator.marker')"
_PROBE = "insert into rotator.probe (token) values (%s)"
_MISSING = (errors.UndefinedTable, errors.InvalidSchemaName)


@dataclass(frozen=True)
class Marker:
    """Which rotation this data belongs to, and which part the server plays in it ('blue', 'green')."""

    rotation_id: str
    role: str


def read_marker(connection: Connection) -> Marker | None:
    """The marker, None without one. Raises DatabaseError 'foreign-schema'."""
    if not is_ours(connection) or connection.execute(_HAS_MARKER).rowcount == 0:
        return None
    row = connection.execute("select rotation_id, role from rotator.marker").fetchone()
    return Marker(str(row[0]), str(row[1])) if row else None


def stamp(target: Target, rotation_id: str) -> None:
    """Mark the data as of this rotation. A server that gets fenced is blue, unless this rotation's marker says else."""
    with session(target, doing="write the marker") as connection, connection.transaction():
        _own_tables(connection)
        marker = read_marker(connection)
        if marker is None or marker.rotation_id != rotation_id:
            _write(connection, Marker(rotation_id, "blue"))


def mark(target: Target, role: str) -> None:
    """Write the server's part to the marker, past the fence."""
    with session(target, doing="write the marker") as connection:
        mark_on(connection, role)


def mark_on(connection: Connection, role: str) -> None:
    """The same over a connection to the marker's database."""
    with connection.transaction():
        _own_tables(connection)
        marker = read_marker(connection)
        _write(connection, Marker(marker.rotation_id if marker else "", role))


def probe(target: Target, token: str) -> tuple[str | None, bool]:
    """Write as an ordinary client: (the marker's role on that connection, whether the write was accepted).

    (None, False) also stands for a server without the tool's tables, which is then not of this rotation.
    """
    with client_session(target, doing="write a probe") as connection:
        marker = read_marker(connection)
        role = marker.role if marker else None
        try:
            connection.execute(_PROBE, [token])
        except (errors.ReadOnlySqlTransaction, *_MISSING):
            return role, False
        return role, True


def has_probe(target: Target, token: str) -> bool:
    """Whether the probe's token is here."""
    with session(target, doing="look for a probe") as connection:
        if not is_ours(connection):
            return False
        try:
            row = connection.execute("select exists (select from rotator.probe where token = %s)", [token]).fetchone()
        except _MISSING:
            return False
        return bool(row and row[0])


def _own_tables(connection: Connection) -> None:
    own_schema(connection)
    if not (connection.execute(_HAS_TABLES).fetchone() or (False,))[0]:
        connection.execute(_TABLES)
        keep_private(connection)


def _write(connection: Connection, marker: Marker) -> None:
    connection.execute("delete from rotator.marker")
    connection.execute(
        "insert into rotator.marker (rotation_id, role, at) values (%s, %s, now())", [marker.rotation_id, marker.role]
    )
