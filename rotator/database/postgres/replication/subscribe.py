"""The receiving side: quarantine of a restored server, subscriptions, their origin, and how far they are.

Sources: PostgreSQL manual, "CREATE SUBSCRIPTION", "Replication Progress Tracking"; RDS User Guide, "Performing logical
replication".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from rotator.database.interface import Target
from rotator.database.postgres import fence_sql
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.fence import fence
from rotator.database.postgres.marker import is_ours, mark
from rotator.database.postgres.names import SCHEMA
from rotator.database.postgres.objects import each_database
from rotator.database.postgres.replication import sentinels
from rotator.database.postgres.replication.names import Names, is_own
from rotator.database.postgres.replication.publish import new_password, replicated
from rotator.database.replication import SeedEvidence, lsn, lsn_text
from rotator.errors import DatabaseError

T = TypeVar("T")

ORIGINS = 160000
"""From this version on a subscription can leave out what the other side has only applied itself."""
_SECRET = "rotator.connection"  # noqa: S105  the name of a setting, not its value
_AS_ORIGIN = """
select set_config('session_replication_role', 'origin', true)
 where current_setting('session_replication_role') = 'replica'
"""
_FENCE_FUNCTION = "select pg_get_functiondef(p.oid) from pg_proc p where p.oid = to_regproc(%s)"
_CREATE = """
do $do$ begin
  execute format('create subscription %I connection %L publication %I with ({options}, slot_name = %L)',
                 {name}, pg_catalog.current_setting('{secret}'), {publication}, {name});
end $do$
"""
_CONNECT = """
do $do$ begin
  execute format('alter subscription %I connection %L', {name}, pg_catalog.current_setting('{secret}'));
end $do$
"""
"""The connection string with the rotation's password travels as a value, so that log_statement = ddl does not show it.

log_statement = all shows the values too (preflight warns): the login is the rotation's own, and goes with it.
"""


def quarantine(target: Target, names: Names, budget_seconds: float) -> tuple[str, ...]:
    """Make a restored server harmless: no foreign subscription, no copied slot, no job; and no writer. Words."""
    done = [word for part in each_database(target, "quarantine", _disarm) for word in part]
    with session(target, doing="remove the slots that came along") as connection:
        back = Names(names.rotation_id, back=True)
        rows = connection.execute("select slot_name, active from pg_replication_slots where not temporary").fetchall()
        for slot, active in rows:
            if re.search(back.pattern, str(slot)):
                continue
            if active:
                raise DatabaseError(
                    f"somebody reads from slot {slot} of the restored server",
                    why="a consumer of blue found its way to green, and takes changes that are not its own",
                    fix="stop that consumer, then run the same command again",
                    code="green-consumer",
                )
            connection.execute("select pg_drop_replication_slot(%s)", [slot])
            done.append(f"slot {slot} removed")
    shut(target, names, budget_seconds)
    mark(target, "green")
    return tuple(done)


def shut(target: Target, names: Names, budget_seconds: float) -> None:
    """Nobody writes but the subscriptions, and all that was begun has ended; what is shut stays shut in any case."""
    fence(target, names.rotation_id, budget_seconds, keep=True)


def _disarm(database: str, connection: Connection) -> list[str]:
    done = []
    query = (
        "select subname, subenabled from pg_subscription"
        " where subdbid = (select oid from pg_database where datname = current_database())"
    )
    for name, enabled in connection.execute(query).fetchall():
        if is_own(str(name)):
            continue
        if not enabled:
            continue  # it contacts nobody
        one = sql.Identifier(str(name))
        connection.execute(sql.SQL("alter subscription {} disable").format(one))
        connection.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(one))
        done.append(f"subscription {name} in {database} cut off from its slot")
    if connection.execute("select from pg_extension where extname = 'pg_cron'").rowcount:
        done += [f"job {job} of pg_cron in {database} deactivated" for job in _deactivate_jobs(connection)]
    return done


def _deactivate_jobs(connection: Connection) -> list[int]:
    """Those that are active. Once green is fenced so is their table, and its trigger fires also where no row changes.

    Then the fence lets through inside this transaction alone: for all others it stands all the time.
    """
    if not connection.execute("select from cron.job where active").rowcount:
        return []
    with connection.transaction():
        refusal = (
            connection.execute(_FENCE_FUNCTION, [f"{SCHEMA}.refuse_write"]).fetchone() if is_ours(connection) else None
        )
        if refusal:
            connection.execute(fence_sql.open_refusal())
        with connection.transaction(), _as_origin(connection):  # pg_cron learns of it by an ordinary trigger
            jobs = connection.execute("update cron.job set active = false where active returning jobid").fetchall()
        if refusal:
            connection.execute(refusal[0])
    return [int(row[0]) for row in jobs]


@contextmanager
def _as_origin(connection: Connection) -> Iterator[None]:
    was = connection.execute("select current_setting('session_replication_role')").fetchone()
    connection.execute(_AS_ORIGIN)
    yield
    if was and was[0] == "replica":
        connection.execute("set local session_replication_role = replica")


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
            row = connection.execute("select rds_tools.logical_seed_lsn()::text").fetchone()
    except (errors.UndefinedFunction, errors.InsufficientPrivilege, errors.InvalidSchemaName):
        return None  # an older rds_tools: it is one source less, and that is judged
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
    password = new_password(source, names)
    try:
        for database, oid in replicated(target, names):
            with session(target, database, doing=f"subscribe {database} to the other side") as connection:
                text = _conninfo(source, names, database, password, pinned=pinned)
                _subscription(connection, names, names.slot(oid), text)
                position = seed.get(database) if isinstance(seed, Mapping) else seed
                if position is not None:
                    _advance(connection, names.slot(oid), position)
    except BaseException:
        new_password(source, names)  # the server's log may show the statement that failed
        raise


def _conninfo(source: Target, names: Names, database: str, password: str, *, pinned: bool) -> str:
    # The certificate's authority is not at hand on the other server: require is what can be asked of it.
    strict = source.sslmode in ("require", "verify-ca", "verify-full")
    return make_conninfo(
        host=source.host,
        hostaddr=source.address if pinned else None,
        port=source.port,
        user=names.role,
        password=password,
        dbname=database,
        sslmode="require" if strict else source.sslmode,
        connect_timeout=10,
        # A connection that was cut without a word is noticed whatever wal_receiver_timeout says.
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=60_000,
    )


def _subscription(connection: Connection, names: Names, name: str, conninfo: str) -> None:
    there = connection.execute("select from pg_subscription where subname = %s", [name]).rowcount
    template = sql.SQL(_CONNECT if there else _CREATE)
    with _setting(connection, conninfo):
        connection.execute(
            template.format(
                name=sql.Literal(name),
                publication=sql.Literal(names.publication),
                options=sql.SQL(_options(connection.info.server_version, back=names.back)),
                secret=sql.SQL(_SECRET),
            )
        )


@contextmanager
def _setting(connection: Connection, value: str) -> Iterator[None]:
    connection.execute("select set_config(%s, %s, false)", [_SECRET, value])
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("select set_config(%s, '', false)", [_SECRET])


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
    if version >= 160000:
        options.append("run_as_owner = true")  # the owners' rights suffice, as before version 16
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
        for name, _, _ in _present(connection, names):
            connection.execute(sql.SQL("alter subscription {} disable").format(sql.Identifier(name)))

    each_database(target, "stop the subscriptions", stop)


def resume(target: Target, names: Names) -> tuple[str, ...]:
    """Enable those that are switched off, and let none be switched off by a lost connection any more. Words."""

    def go(database: str, connection: Connection) -> list[str]:
        done = []
        for name, enabled, brittle in _present(connection, names):
            one = sql.Identifier(name)
            if brittle:
                connection.execute(sql.SQL("alter subscription {} set (disable_on_error = false)").format(one))
            if not enabled:
                connection.execute(sql.SQL("alter subscription {} enable").format(one))
                done.append(f"subscription {name} switched on again")
        return done

    return tuple(word for part in each_database(target, "resume the subscriptions", go) for word in part)


def _present(connection: Connection, names: Names) -> list[tuple[str, bool, bool]]:
    """(name, enabled, switched off by any error) of this direction's subscriptions in this database."""
    brittle = "subdisableonerr" if connection.info.server_version >= 150000 else "false"
    query = (
        f"select subname, subenabled, {brittle} from pg_subscription where subname ~ %s"  # noqa: S608
        " and subdbid = (select oid from pg_database where datname = current_database())"
    )
    rows = connection.execute(query, [names.pattern]).fetchall()
    return [(str(name), bool(enabled), bool(off)) for name, enabled, off in rows]


def unsubscribe(target: Target, names: Names) -> None:
    """Remove the subscriptions of this direction, without a word to the other side: its slots go there."""

    def drop(database: str, connection: Connection) -> None:
        for name, _, _ in _present(connection, names):
            one = sql.Identifier(name)
            connection.execute(sql.SQL("alter subscription {} disable").format(one))
            connection.execute(sql.SQL("alter subscription {} set (slot_name = none)").format(one))
            connection.execute(sql.SQL("drop subscription {}").format(one))

    each_database(target, "remove the subscriptions", drop)
