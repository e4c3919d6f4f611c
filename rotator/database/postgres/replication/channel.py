"""One direction of one rotation between two PostgreSQL servers (rotator.database.channel.Channel): composition."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from rotator.database.channel import Window
from rotator.database.interface import Target
from rotator.database.position import Position
from rotator.database.postgres.catalog.objects import databases, each_database, stored_tables
from rotator.database.postgres.compare import verify
from rotator.database.postgres.compare.chunks import Chunk, OnlineReport
from rotator.database.postgres.connection import Connection, open_session, session
from rotator.database.postgres.encryption import VERIFIED, of_senders
from rotator.database.postgres.lsn import covers, number_of, position_of
from rotator.database.postgres.replication import guard, login, publish, quarantine, sentinels, status, subscribe, views
from rotator.database.postgres.replication.apply_log import apply_errors, apply_keys, connection_errors
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.replication.peer_tls import asked
from rotator.database.postgres.replication.seed import Bounds, decide_seed, read_recovery
from rotator.database.postgres.window import imprint
from rotator.database.postgres.window.covering import Covering
from rotator.database.postgres.window.window import PostgresWindow
from rotator.database.protection import Encryption
from rotator.database.replication import Budgets, Lag, Opened, Retention, Storage, Verified, Worker
from rotator.database.seed import Bracket, Seed
from rotator.domain.errors import DatabaseUnreachable
from rotator.domain.progress import Progress
from rotator.domain.qualified import qualified

COVER_SECONDS = 30.0
VERIFY_CATCH_UP_SECONDS = 240.0
"""A connection that was cut without a word for a minute is not noticed at once, and comes back by itself."""


@dataclass(frozen=True)
class PostgresChannel:
    """`pinned`: the servers cannot resolve each other's names, so subscriptions get addresses (the sandbox's)."""

    rotation_id: str
    source: Target
    target: Target
    back: bool = False
    pinned: bool = False

    @property
    def names(self) -> Names:
        return Names(self.rotation_id, self.back)

    # --- the source ---

    def weak_tables(self) -> Mapping[str, str]:
        return publish.without_identity(self.source)

    def open(self, *, strengthen: bool, progress: Progress) -> Opened:
        found = publish.open_publications(self.source, self.names, strengthen=strengthen)
        # Before the snapshot, so that green has the idle triggers too. What is busy now is left to the window.
        with ExitStack() as stack:
            every = databases(self.source)
            covering = Covering({name: stack.enter_context(open_session(self.source, name)) for name in every})
            covering.patiently(COVER_SECONDS, lambda text: progress(0.0, text))
        publish.open_slots(self.source, self.names, progress)
        self.mark("slot")
        return found

    def retain(self) -> None:
        publish.open_slots(self.source, self.names, lambda fraction, text: None)

    def mark(self, kind: str) -> Position:
        for name, _ in publish.replicated(self.source, self.names):
            with session(self.source, name, doing="write a sentinel") as connection:
                sentinels.put(connection, sentinels.token(self.names, kind))
        return self.position()

    def retention(self) -> tuple[Retention, ...]:
        return tuple(
            Retention(slot.name, slot.database, slot.active, slot.retained, slot.lost) for slot in self._slots()
        )

    def _slots(self) -> tuple[status.Slot, ...]:
        with session(self.source, doing="look at the replication slots") as connection:
            return status.slots(connection, self.names)

    def position(self) -> Position:
        with session(self.source, doing="read the log's position") as connection:
            return position_of(sentinels.flushed(connection))

    def covers(self, position: Position, other: Position) -> bool:
        return covers(position, other)

    def storage(self) -> Storage:
        with session(self.source, doing="look at the storage") as connection:
            return status.storage(connection)

    def ddl(self) -> tuple[str, ...]:
        return tuple(
            line for part in each_database(self.source, "read the recorded DDL", guard.recorded) for line in part
        )

    def not_carried(self) -> tuple[str, ...]:
        def look(database: str, connection: Connection) -> tuple[str, ...]:
            return tuple(qualified(database, *table) for table in publish.unpublished(connection, self.names))

        return tuple(table for part in each_database(self.source, "look at the tables", look) for table in part)

    def encryption(self) -> Encryption | None:
        with session(self.target, doing="look at the subscriptions") as connection:
            verified = VERIFIED.get(asked(connection, self.source)["sslmode"], "")
        with session(self.source, doing="look at the replication's encryption") as connection:
            found = of_senders(connection, self.names.pattern, verified)
        return next((each for each in found if each.version is None), found[0] if found else None)

    def foreign_channels(self) -> tuple[str, ...]:
        with session(self.source, doing="look at the subscriptions") as connection:
            return status.foreign_subscriptions(connection)

    def release(self) -> tuple[str, ...]:
        return publish.close_slots(self.source, self.names)

    def close(self, full: Mapping[str, str] | None = None) -> tuple[str, ...]:
        return (*self.release(), *publish.close(self.source, self.names, full or {}))

    # --- the target ---

    def quarantine(self, budget_seconds: float) -> tuple[str, ...]:
        return quarantine.quarantine(self.target, self.names, budget_seconds)

    def seed(self, log: Iterable[str], bracket: Bracket) -> Seed:
        confirmed = max(slot.confirmed for slot in self._slots())
        bounds = Bounds(confirmed, number_of(bracket.low), number_of(bracket.high))
        return decide_seed(subscribe.evidence(self.target, self.names), read_recovery(log), bounds)

    def attach(self, seed: Position | Mapping[str, Position] | None) -> None:
        numbers = (
            {name: number_of(each) for name, each in seed.items()}
            if isinstance(seed, Mapping)
            else number_of(seed)
            if seed is not None
            else None
        )
        subscribe.subscribe(self.source, self.target, self.names, numbers, pinned=self.pinned)

    def start(self) -> None:
        subscribe.enable(self.target, self.names)

    def detach(self) -> None:
        subscribe.unsubscribe(self.target, self.names)

    def stop(self) -> None:
        subscribe.disable(self.target, self.names)

    def resume(self) -> tuple[str, ...]:
        with suppress(DatabaseUnreachable):  # the run that reaches that side renews it
            login.renew(self.source, self.names)
        return subscribe.resume(self.target, self.names)

    def workers(self) -> tuple[Worker, ...]:
        return status.workers(self.target, self.names)

    def apply_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        return apply_errors(log)

    def apply_keys(self, log: Iterable[str]) -> tuple[str, ...]:
        return apply_keys(log)

    def connection_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        return connection_errors(log)

    def attached(self) -> bool:
        return status.subscribed(self.target, self.names)

    # --- both ---

    def lag(self) -> Lag:
        return status.lag(self.source, self.target, self.names)

    def catch_up(self, seconds: float) -> None:
        with ExitStack() as stack:
            here = self._connections(stack, self.source)
            there = self._connections(stack, self.target)
            self._pass(here, there, seconds)

    def _pass(self, here: Mapping[str, Connection], there: Mapping[str, Connection], seconds: float) -> None:
        text = sentinels.token(self.names, f"caught up {secrets.token_hex(8)}")
        sentinels.pass_through(here, there, text, time.monotonic() + seconds)
        for connection in here.values():
            sentinels.forget(connection, text)

    def _connections(self, stack: ExitStack, target: Target) -> dict[str, Connection]:
        names = [name for name, _ in publish.replicated(self.source, self.names)]
        return {name: stack.enter_context(open_session(target, name)) for name in names}

    def verify(self, progress: Progress) -> Verified:
        every = [table for part in each_database(self.source, "list the tables", stored_tables) for table in part]
        seen = views.refresh_stale(self.source, self.target)
        # Unlogged tables are not replicated; that they are empty is looked at in the window.
        tables = [table for table in every if str(table) not in seen.all and not table.unlogged]
        with ExitStack() as stack:
            here, there = self._connections(stack, self.source), self._connections(stack, self.target)
            report = verify.verify_online(
                self.source, self.target, tables, lambda: self._pass(here, there, VERIFY_CATCH_UP_SECONDS), progress
            )
        return _verified(report, seen.refreshed, seen.stale)

    def verify_again(self, unsettled: Sequence[Mapping[str, Any]], progress: Progress) -> Verified:
        chunks = tuple(Chunk.from_json(each) for each in unsettled)
        with ExitStack() as stack:
            here, there = self._connections(stack, self.source), self._connections(stack, self.target)
            report = verify.verify_again(
                self.source, self.target, chunks, lambda: self._pass(here, there, VERIFY_CATCH_UP_SECONDS), progress
            )
        return _verified(report, ())

    def shut(self, budget_seconds: float) -> None:
        quarantine.shut(self.target, self.names, budget_seconds)

    def imprint(self) -> Mapping[str, Any]:
        with ExitStack() as stack:
            return {name: imprint.of(each, self.names) for name, each in self._everywhere(stack).items()}

    def touched(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        with ExitStack() as stack:
            return imprint.words(self._everywhere(stack), self.names, before)

    def _everywhere(self, stack: ExitStack) -> Mapping[str, Connection]:
        return {name: stack.enter_context(open_session(self.target, name)) for name in databases(self.target)}

    def window(
        self,
        budgets: Budgets,
        unsettled: Sequence[Mapping[str, Any]],
        *,
        retain_back: bool,
        imprint: Mapping[str, Any] | None = None,
    ) -> Window:
        chunks = tuple(Chunk.from_json(each) for each in unsettled)
        return PostgresWindow(self.source, self.target, self.names, budgets, chunks, retain_back, imprint)


def _verified(report: OnlineReport, refreshed: tuple[str, ...], stale: tuple[str, ...] = ()) -> Verified:
    return Verified(
        digests={name: each.to_json() for name, each in report.tables.items()},
        unsettled=tuple(chunk.to_json() for chunk in report.unsettled),
        differences=report.differences,
        by_key=report.by_key,
        refreshed=refreshed,
        stale=stale,
    )
