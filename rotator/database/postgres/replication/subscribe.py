"""The receiving side: subscriptions, their origin, and how far they are.

Sources: PostgreSQL manual, "CREATE SUBSCRIPTION", "Replication Progress Tracking"; RDS User Guide, "Performing logical
replication".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from rotator.database.interface import Target
from rotator.database.postgres.catalog.applied_code import AS_TABLE_OWNER
from rotator.database.postgres.catalog.extensions import function_of
from rotator.database.postgres.catalog.objects import each_database
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.lsn import lsn, lsn_text
from rotator.database.postgres.replication import login, secret, sentinels, trust
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.peer_tls import asked, verifying
from rotator.database.postgres.replication.publish import replicated
from rotator.database.postgres.replication.seed import SeedEvidence
from rotator.domain.errors import DatabaseError

T = TypeVar("T")

ORIGINS = 160000
"""From this version on a subscription can leave out what the other side has only applied itself."""
_CREATE = (
    "format('create subscription %I connection %L publication %I with ({options}, slot_name = %L)',"
    " {name}, whole, {publication}, {name})"
)
_CONNECT = "format('alter subscription %I connection %L', {name}, whole)"


def evidence(target: Target, names: Names) -> SeedEvidence:
    """What the restored server says of the end of its data."""
    with session(target, doing="read the seed") as connection:
        row = connection.execute("select pg_last_wal_replay_lsn()::text").fetchone()
        tools = _rds_tools(connection)

    def look(connection: Connection) -> tuple[bool, bool, bool]:
        slot, low, high = (sentinels.has(connection, sentinels.token(names, kind)) for kind in ("slot", "low", "high"))
        return slot, low, high

    found = each_of(target, names, look)
    return SeedEvidence(
        replayed=lsn(str(row[0])) if row and row[0] else None,
        tools=tools,
        slot=all(each[0] for each in found),
        low=all(each[1] for each in found),
        high=any(each[2] for each in found),
    )


def _rds_tools(connection: Connection) -> int | None:
    """rds_tools.logical_seed_lsn(), where RDS has it; what is made for asking is taken back."""
    if connection.execute("select from pg_available_extensions where name = 'rds_tools'").rowcount == 0:
        return None
    try:
        with connection.transaction(force_rollback=True):
            if connection.execute(fence_sql.HAS_EVENT_TRIGGERS).fetchone():
                connection.execute(fence_sql.drop_event_triggers())  # green may be fenced already
            connection.execute("create extension if not exists rds_tools")
            function = function_of(connection, "rds_tools", "logical_seed_lsn")
            if function is None:
                return None  # an older rds_tools, or a stranger's: it is one source less, and that is judged
            row = connection.execute(sql.SQL("select {}()::text").format(function)).fetchone()
    except (errors.InsufficientPrivilege, errors.DuplicateObject, errors.DuplicateFunction):
        return None
    return lsn(str(row[0])) if row and row[0] else None


def each_of(target: Target, names: Names, look: Callable[[Connection], T]) -> list[T]:
    """What `look` gives for every replicated database."""
    found = []
    for name, _ in replicated(target, names):
        with session(target, name, doing="look at the replicated databases") as connection:
            found.append(look(connection))
    return found


def subscribe(
    source: Target, target: Target, names: Names, seed: int | Mapping[str, int] | None, *, pinned: bool
) -> None:
    """Subscriptions of all databases, not enabled, their origin at `seed`. Those that are there get a new password.

    `pinned`: give the servers the source's address besides its name (they cannot resolve it).
    """
    password = login.new_password(source, names)
    found = replicated(target, names)
    try:
        for database, oid in found:
            with session(target, database, doing=f"subscribe {database} to the other side") as connection:
                trust.refuse(database, connection)
                text = _conninfo(source, names, database, asked(connection, source), pinned=pinned)
                _subscription(connection, names, names.slot(oid), text, password)
                position = seed.get(database) if isinstance(seed, Mapping) else seed
                if position is not None:
                    _advance(connection, names.slot(oid), position)
    except BaseException:
        login.new_password(source, names)  # the server's log may show the statement that failed
        raise
    each_database(target, "forget the password", lambda _, connection: secret.forget(connection, names.stem))


def _conninfo(source: Target, names: Names, database: str, tls: Mapping[str, str], *, pinned: bool) -> str:
    return make_conninfo(
        "",
        host=source.host,
        hostaddr=source.address if pinned else None,
        port=source.port,
        user=names.role,
        dbname=database,
        **tls,
        connect_timeout=10,
        # A connection that was cut without a word is noticed whatever wal_receiver_timeout says.
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=60_000,
    )


def _subscription(connection: Connection, names: Names, name: str, conninfo: str, password: str) -> None:
    there = connection.execute("select from pg_subscription where subname = %s", [name]).rowcount
    template = sql.SQL(_CONNECT if there else _CREATE)
    text = template.format(
        name=sql.Literal(name),
        publication=sql.Literal(names.publication),
        options=sql.SQL(_options(connection.info.server_version, back=names.back)),
    )
    with verifying():
        secret.give(connection, text.as_string(connection), conninfo, password)


def _options(version: int, *, back: bool) -> str:
    """Nothing is copied, nothing begins yet.

    No `disable_on_error`: a lost connection is an error too, and would end the replication until somebody comes. So it
    is tried again every few seconds, and a change that cannot be applied is as well; whoever looks tells them apart.
    """
    options = ["create_slot = false", "copy_data = false", "enabled = false"]
    if version >= 140000:
        options.append("streaming = off")  # one transaction after the other: what a sentinel's arrival proves
    if version >= 150000:
        options.append("disable_on_error = false")
    if version >= AS_TABLE_OWNER:
        options.append("run_as_owner = false")  # each change as its table's owner: no code runs with the tool's rights
    if back and version >= ORIGINS:
        options.append("origin = none")  # what green only applied came from blue
    return ", ".join(options)


def _advance(connection: Connection, name: str, seed: int) -> None:
    """Put the origin at the seed, once: from then on it is the apply worker's own."""
    row = connection.execute(
        "select 'pg_' || oid, subenabled, pg_replication_origin_progress('pg_' || oid, true)::text"
        " from pg_subscription where subname = %s",
        [name],
    ).fetchone()
    if row is None:
        raise LookupError(name)
    origin, enabled, at = row
    now = lsn(str(at)) if at else 0
    if now >= seed:
        return
    if now or enabled:
        raise DatabaseError(
            f"subscription {name} began at {lsn_text(now)}, before the seed {lsn_text(seed)}",
            why="it would apply changes that the snapshot holds already",
            fix="take this rotation back with rollback, then rotate again",
            code="seed-origin",
        )
    connection.execute("select pg_replication_origin_advance(%s, %s::pg_lsn)", [origin, lsn_text(seed)])


def enable(target: Target, names: Names) -> None:
    """Let the subscriptions run."""
    for database, oid in replicated(target, names):
        with session(target, database, doing=f"enable the subscription of {database}") as connection:
            connection.execute(sql.SQL("alter subscription {} enable").format(sql.Identifier(names.slot(oid))))


def disable(target: Target, names: Names) -> None:
    """Let them stop, and keep their place."""

    def stop(database: str, connection: Connection) -> None:
        for name, *_ in _present(connection, names):
            connection.execute(sql.SQL("alter subscription {} disable").format(sql.Identifier(name)))

    each_database(target, "stop the subscriptions", stop)


def resume(target: Target, names: Names) -> tuple[str, ...]:
    """Enable those that are switched off, and let none be switched off by a lost connection any more. Words.

    None goes on with the rights of its owner, as an older version of this tool made them.
    """

    def go(database: str, connection: Connection) -> list[str]:
        done = []
        present = _present(connection, names)
        if present:
            trust.refuse(database, connection)
        for name, enabled, brittle, privileged in present:
            one = sql.Identifier(name)
            if privileged:
                connection.execute(sql.SQL("alter subscription {} set (run_as_owner = false)").format(one))
            if brittle:
                connection.execute(sql.SQL("alter subscription {} set (disable_on_error = false)").format(one))
            if not enabled:
                connection.execute(sql.SQL("alter subscription {} enable").format(one))
                done.append(f"subscription {name} switched on again")
        return done

    return tuple(word for part in each_database(target, "resume the subscriptions", go) for word in part)


def _present(connection: Connection, names: Names) -> list[tuple[str, bool, bool, bool]]:
    """(name, enabled, switched off by any error, run as its owner) of this direction's subscriptions here."""
    version = connection.info.server_version
    brittle = "subdisableonerr" if version >= 150000 else "false"
    privileged = "subrunasowner" if version >= AS_TABLE_OWNER else "false"
    query = (
        f"select subname, subenabled, {brittle}, {privileged} from pg_subscription where subname ~ %s"  # noqa: S608
        " and subdbid = (select oid from pg_database where datname = current_database())"
    )
    rows = connection.execute(query, [names.pattern]).fetchall()
    return [(str(name), bool(enabled), bool(off), bool(owner)) for name, enabled, off, owner in rows]


def unsubscribe(target: Target, names: Names) -> None:
    """Remove the subscriptions of this direction, without a word to the other side: its slots go there."""

    def drop(database: str, connection: Connection) -> None:
        for name, *_ in _present(connection, names):
            one = sql.Identifier(name)
            connection.execute(sql.SQL("alter subscription {} disable").format(one))
            connection.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(one))
            connection.execute(sql.SQL("drop subscription {}").format(one))

    each_database(target, "remove the subscriptions", drop)
