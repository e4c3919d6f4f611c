"""How the replication stands: slots and what they hold back, the lag, subscriptions that have stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.lsn import lsn
from rotator.database.postgres.names import OWN_SUBSCRIPTION
from rotator.database.postgres.replication import sentinels
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.publish import replicated
from rotator.database.replication import Lag, Storage, Worker
from rotator.domain.qualified import qualified

_SLOTS = """
select slot_name, database, active, coalesce(confirmed_flush_lsn, '0/0')::text,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, wal_status = 'lost'
  from pg_replication_slots where slot_name ~ %s order by slot_name
"""
_STORAGE = """
select (select coalesce(sum(pg_database_size(oid)), 0)::bigint from pg_database where datallowconn),
       (select coalesce(sum(size), 0)::bigint from pg_ls_waldir())
"""
_FEEDS = f"""
select d.datname, s.subname from pg_subscription s join pg_database d on d.oid = s.subdbid
 where s.subenabled and not {OWN_SUBSCRIPTION} order by 1, 2
"""  # noqa: S608
_SUBSCRIPTION = """
select s.subenabled, w.pid is not null, coalesce(w.latest_end_lsn, '0/0')::text
  from pg_subscription s left join pg_stat_subscription w on w.subid = s.oid and w.relid is null
 where s.subname = %s
 order by 2 desc limit 1
"""


@dataclass(frozen=True)
class Slot:
    """One slot of a channel on its source, and up to where its subscription has confirmed what it got."""

    name: str
    database: str
    active: bool
    confirmed: int
    retained: int
    lost: bool


def slots(connection: Connection, names: Names) -> tuple[Slot, ...]:
    """The channel's slots on its source."""
    return tuple(
        Slot(str(name), str(database), bool(active), lsn(str(confirmed)), int(retained), bool(lost))
        for name, database, active, confirmed, retained, lost in connection.execute(_SLOTS, [names.pattern]).fetchall()
    )


def storage(connection: Connection) -> Storage:
    """What databases and log take (pg_ls_waldir is for members of pg_monitor)."""
    row = connection.execute(_STORAGE).fetchone() or (0, 0)
    return Storage(int(row[0]), int(row[1]))


def foreign_subscriptions(connection: Connection) -> tuple[str, ...]:
    """Enabled subscriptions that are not the tool's, in all databases."""
    return tuple(qualified(*row) for row in connection.execute(_FEEDS).fetchall())


def subscribed(target: Target, names: Names) -> bool:
    """Whether every replicated database has its subscription, and it is enabled."""
    found = workers(target, names)
    return bool(found) and all(worker.enabled for worker in found)


def workers(target: Target, names: Names) -> tuple[Worker, ...]:
    """Every replicated database's subscription, and whether somebody applies it at this moment."""
    found = []
    for database, oid in replicated(target, names):
        with session(target, database, doing="look at the subscriptions") as connection:
            row = connection.execute(_SUBSCRIPTION, [names.slot(oid)]).fetchone()
            found.append(Worker(names.slot(oid), bool(row), bool(row and row[0]), bool(row and row[1])))
    return tuple(found)


def lag(source: Target, target: Target, names: Names) -> Lag:
    """The largest lag over all databases. Each look sends a heartbeat, by which the next one measures seconds."""
    text = sentinels.token(names, "heartbeat")
    seconds: list[float | None] = []
    bytes_behind, stopped = 0, []
    for database, oid in replicated(source, names):
        name = names.slot(oid)
        with session(source, database, doing="measure the lag") as connection:
            now = _now(connection)
            end = sentinels.flushed(connection)
            sent = sentinels.age(connection, text, now)
            sentinels.put(connection, text)
        with session(target, database, doing="measure the lag") as connection:
            row = connection.execute(_SUBSCRIPTION, [name]).fetchone()
            if row is None or not row[0] or not row[1]:
                stopped.append(name)
            else:
                bytes_behind = max(bytes_behind, end - lsn(str(row[2])))
            seen = sentinels.age(connection, text, now)
        # What was sent last has arrived: the target is where the source was then, or later.
        fresh = seen is not None and (sent is None or seen <= sent)
        seconds.append(0.0 if fresh else seen)
    known = [each for each in seconds if each is not None]
    worst = max(known) if known and len(known) == len(seconds) else None
    return Lag(max(0, bytes_behind), worst, tuple(stopped))


def _now(connection: Connection) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    if row is None or not isinstance(row[0], datetime):
        raise LookupError("the server has no clock")
    return row[0]
