"""The window's fence: as postgres.fence, over open connections, with a lease, and in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from psycopg import errors

from rotator.database.postgres.catalog.objects import refuse_foreign_parents
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.fence import fence_sql
from rotator.database.postgres.replication import guard, same_databases, unlogged
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.publish import unpublished
from rotator.database.postgres.replication.status import foreign_subscriptions
from rotator.database.postgres.window import imprint
from rotator.database.postgres.window.calm import CLIENTS, OLDER
from rotator.database.postgres.window.covering import Covering, who
from rotator.database.postgres.window.statements import at_once, has_ddl_fence, opening, refusing, watch
from rotator.database.replication import Budgets
from rotator.domain.errors import DatabaseError
from rotator.domain.progress import Progress
from rotator.domain.qualified import qualified

_POLL_SECONDS = 0.002
_SETTLE_SECONDS = 0.5
_LEAST_LEFT_SECONDS = 1.0
"""So much of the lease must be left when the fence is sealed."""

_WRITERS = """
select l.pid, l.virtualtransaction from pg_locks l
 where l.locktype = 'relation' and l.granted and l.relation >= 16384 and l.pid is distinct from pg_backend_pid()
   and l.database = any (%s::oid[])
   and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""Who holds a writer's lock on an application's table ("Explicit Locking"): VACUUM and ANALYZE hold weaker ones."""
_TRANSACTIONS = """
select pg_snapshot_xmin(s)::text::bigint,
       array(select pid || ' ' || backend_xid from pg_stat_activity
              where backend_xid is not null and pid <> pg_backend_pid())
  from pg_current_snapshot() s
"""
"""The oldest transaction that is open (or the next one's number), and who has one open."""


class WindowFence:
    """The source's fence, and the other side's.

    `connections` are the source's, by database, `others` the target's; `one` sees all of the source.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        others: Mapping[str, Connection],
        one: Connection,
        names: Names,
    ) -> None:
        self._all = connections
        self._others = others
        self._one = one
        self._names = names
        self._watched: frozenset[str] = frozenset()
        self._others_watched: frozenset[str] = frozenset()
        self._light: dict[str, tuple[int, int]] = {}
        self._oids: list[int] = []
        self._listed: same_databases.Listed = ()
        self._until = ""
        self._cut_off: list[str] = []

    @property
    def cut_off(self) -> tuple[str, ...]:
        """Sessions that were ended, in words."""
        return tuple(self._cut_off)

    # --- before the pause ---

    def prepare(self, budgets: Budgets, progress: Progress) -> None:
        """Idle triggers on every table, event triggers where we may, and the schema's quick digest."""
        self._listed = same_databases.listed(self._one)
        covering = Covering(self._all, self._cut_off)
        if covering.patiently(budgets.calm, lambda text: progress(0.0, text)):
            covering.finish()
        watched = []
        for name, connection in self._all.items():
            if watch(connection):
                watched.append(name)
            missing = unpublished(connection, self._names)  # all tables, where there was none at `open`
            if missing:
                words = ", ".join(qualified(*each) for each in missing[:10])
                raise DatabaseError(
                    f"{len(missing)} tables of {name} are not replicated: {words}",
                    why="they were made, or dropped and made again, since the rotation opened",
                    fix="the flip did not happen. Take this rotation back with rollback, then rotate again without DDL",
                    code="validate-schema",
                )
            refuse_foreign_parents(connection)
            if not self._names.back:
                unlogged.refuse(name, unlogged.filled(connection))
            self._light[name] = guard.schema_hash(connection)
        self._watched = frozenset(watched)
        self._others_watched = frozenset(n for n, connection in self._others.items() if has_ddl_fence(connection))
        # Asked of each: by a name that is not ASCII, a session in another encoding would find no database.
        own = "select oid::bigint from pg_database where datname = current_database()"
        self._oids = [int(row[0]) for each in self._all.values() for row in each.execute(own).fetchall()]

    # --- the pause ---

    def close(self, budgets: Budgets) -> None:
        """Nobody writes any more, and all that was begun has ended; for as long as the lease lasts."""
        began = time.monotonic()
        row = self._one.execute(
            "select (clock_timestamp() + make_interval(secs => %s))::text", [budgets.lease]
        ).fetchone()
        self._until = str(row[0]) if row else ""
        for name, connection in self._all.items():
            ddl = [fence_sql.leased_ddl_refusal(self._until)] if name in self._watched else []
            at_once(connection, fence_sql.leased_refusal(self._until), *ddl)
        overdue = {int(row[0]) for row in self._one.execute(OLDER, [budgets.overdue]).fetchall()}
        self._wait_for_writers(overdue, began + budgets.grace, began + budgets.fence)

    def _wait_for_writers(self, overdue: set[int], grace: float, deadline: float) -> None:
        early, told = self._writers(), set[int]()
        self._end(overdue, told)
        edge = int((self._one.execute(fence_sql.NEXT_TRANSACTION).fetchone() or (0,))[0])
        _, running = self._transactions()
        while True:
            early &= self._writers()
            oldest, now = self._transactions()
            running &= now
            if not early and oldest >= edge:
                return
            if time.monotonic() >= deadline:
                raise self._too_late({pid for pid, _ in early})
            if time.monotonic() >= grace:
                self._end({pid for pid, _ in early} | {int(each.split()[0]) for each in running}, told)
            time.sleep(_POLL_SECONDS)

    def _writers(self) -> set[tuple[int, str]]:
        rows = self._one.execute(_WRITERS, [self._oids]).fetchall()
        return {(int(pid or 0), str(transaction)) for pid, transaction in rows}

    def _transactions(self) -> tuple[int, set[str]]:
        oldest, running = self._one.execute(_TRANSACTIONS).fetchall()[0]
        return int(oldest), set(running)

    def _end(self, pids: set[int], told: set[int]) -> None:
        """End the sessions that hold up the fence. What they had not committed was never acknowledged."""
        fresh = sorted(pids - told)
        told |= pids
        for row in self._one.execute(f"{CLIENTS} and pid = any (%s)", [fresh]).fetchall() if fresh else ():
            try:
                self._one.execute("select pg_terminate_backend(%s)", [row[0]])
            except errors.InsufficientPrivilege:
                continue  # the budget decides; preflight's finding no-signal has said so
            self._cut_off.append(who(row))

    def _too_late(self, pids: Collection[int] = ()) -> DatabaseError:
        """`pids`: sessions that hold up the fence without having written, such as by LOCK TABLE."""
        rows = self._one.execute(f"{CLIENTS} and (backend_xid is not null or pid = any (%s))", [list(pids)]).fetchall()
        prepared = self._one.execute("select gid, database, owner from pg_prepared_xacts order by 1").fetchall()
        return DatabaseError(
            "the fence could not be closed within its budget; it is lifted, and nothing has changed",
            why="transactions are open that have written",
            fix="end these sessions or let them end, then run the same command again",
            details=(
                *(who(row) for row in rows),
                *(
                    f"prepared transaction {gid!r} (database {database}, owner {own})"
                    for gid, database, own in prepared
                ),
            ),
            code="window-fence",
        )

    def imprint(self) -> dict[str, dict[str, str]]:
        """What the source is as it has been sealed: its schema is the one that was prepared for."""
        return {name: imprint.of(each, self._names, self._light[name]) for name, each in self._all.items()}

    def same_schema(self, deadline: float) -> None:
        """No DDL has come between the last look and the fence, and nobody feeds the source past it. Raises."""
        fed = foreign_subscriptions(self._one)
        if fed:
            raise DatabaseError(
                f"subscriptions are enabled: {', '.join(fed)}",
                why="what they apply passes the fence, and would not reach the other side",
                fix="ALTER SUBSCRIPTION ... DISABLE each of them, then run the same command again; nothing has changed",
                code="subscription",
            )
        same_databases.refuse_others(self._one, self._listed)
        changed = [name for name, connection in self._all.items() if guard.schema_hash(connection) != self._light[name]]
        if changed:
            raise DatabaseError(
                f"the schema of {', '.join(changed)} was changed just before the fence",
                why="green may lack the change",
                fix="the flip did not happen. Take this rotation back with rollback, then rotate again without DDL",
                code="validate-schema",
            )
        if not self._names.back:  # a cache that has filled since the flip must not keep anybody from a rollback
            for name, connection in self._all.items():
                unlogged.refuse(name, unlogged.filled(connection))
        if time.monotonic() > deadline:
            raise DatabaseError(
                "the last look took longer than its budget; the fence is lifted, and nothing has changed",
                why="much was in flux, or the catalogs are large",
                fix="raise [cutover] recheck, then run the same command again",
                code="recheck-timeout",
            )

    def seal(self) -> None:
        """For ever; provided that the lease had not run out by then, and whoever was at a table has left it.

        A session that looked at the clock before and was held up since would be one of these.
        """
        for name, connection in self._all.items():
            at_once(connection, *refusing(ddl=name in self._watched))
        self._settle()
        same_databases.refuse_others(self._one, self._listed)
        row = self._one.execute(
            "select extract(epoch from %s::timestamptz - clock_timestamp())::float8", [self._until]
        ).fetchone()
        if row is None or float(row[0]) < _LEAST_LEFT_SECONDS:
            raise DatabaseError(
                "the fence's lease ran out before it could be sealed; it is lifted, and nothing has changed",
                why="this machine, or the way to the database, stood still for seconds",
                fix="run the same command again",
                code="window-lease",
            )

    # --- the other side, and the end ---

    def open_other(self) -> None:
        """The target takes writes. This commit also puts on disk all that was applied before it."""
        for name, connection in self._others.items():
            at_once(connection, *opening(ddl=name in self._others_watched))

    def shut_other(self) -> None:
        """The target refuses writes, whether it was opened or not. Where it does so already, its imprint stays."""
        for name, connection in self._others.items():
            statements = refusing(ddl=name in self._others_watched)
            if connection.execute(fence_sql.IS_REFUSING).rowcount:
                statements = statements[1:]
            if statements:
                at_once(connection, *statements)

    def open(self) -> None:
        """The source takes writes again; its idle triggers stay for the next attempt."""
        for name, connection in self._all.items():
            at_once(connection, *opening(ddl=name in self._watched))

    def _settle(self) -> None:
        """Until those have left who hold a writer's lock now: refused ones come and go. Who stays is ended."""
        began, told = time.monotonic(), set[int]()
        early = self._writers()
        while early := early & self._writers():
            pids = {pid for pid, _ in early}
            if time.monotonic() >= began + _SETTLE_SECONDS:
                raise self._too_late(pids)
            if time.monotonic() >= began + _SETTLE_SECONDS / 2:
                self._end(pids, told)
