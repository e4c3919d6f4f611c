"""Replication in memory, behind rotator.database.replication: rows flow when somebody looks, one whole list at a time.

Each thing that lasts counts as a side effect of the world, so that a test can kill a rotation before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any

from fakes import World

from rotator.database.position import Position
from rotator.database.protection import Encryption
from rotator.database.replication import Budgets, Lag, Opened, Passed, Retention, Storage, Verified, Worker
from rotator.database.seed import Bracket, Seed
from rotator.domain.errors import DatabaseError


def position(rows: int) -> Position:
    """A number of rows, written as PostgreSQL would."""
    return Position("postgres", f"0/{rows:X}")


def rows(at: Position) -> int:
    return int(at.text.split("/")[1], 16)


@dataclass
class Stream:
    """One direction as it stands: a slot on the source from row number `sent` on, a subscription on the target."""

    slot: bool = False
    lost: bool = False
    sent: int = 0
    subscribed: bool = False
    enabled: bool = False
    at: str = ""
    """The server that has the subscription."""


@dataclass
class Replication:
    """What lasts, over all processes of a test. `late` are rows written on the source just before it is closed."""

    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    ddl: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    problem: str = ""
    differences: tuple[str, ...] = ()
    by_key: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    touch_in_window: bool = False
    """Somebody writes on the target past its fence while both are shut."""
    cut: int = 0
    """For how many looks, or tries to catch up, the connection is lost."""
    refuse_window: str = ""
    foreign_subscriptions: tuple[str, ...] = ()
    windows: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    """The source of each comparison of everything."""
    flux: tuple[dict[str, str], ...] = ()
    """What is in flux when everything is compared; a second look finds it at rest."""
    in_window: list[int] = field(default_factory=list)
    """How much each window had to compare."""
    no_slots: Exception | None = None
    """What the next look at the slots for the way back raises."""

    def channel(self, world: World, rotation_id: str, source: str, target: str, back: bool) -> FakeChannel:
        return FakeChannel(world, self, rotation_id, source, target, back)


@dataclass
class FakeChannel:
    world: World
    replication: Replication
    rotation_id: str
    source: str
    target: str
    back: bool

    @property
    def stream(self) -> Stream:
        # Before green exists a forward link has blue on both sides; its slot is blue's all the same.
        return self.replication.streams.setdefault((self.source, "back" if self.back else "forward"), Stream())

    def _flow(self) -> None:
        """Apply on the target what the source has and the slot has not sent yet."""
        stream = self.stream
        if stream.slot and stream.subscribed and stream.enabled and self.target in self.world.data:
            rows = self.world.data[self.source].rows
            self.world.data[self.target].rows += rows[stream.sent :]
            stream.sent = len(rows)

    def weak_tables(self) -> Mapping[str, str]:
        return {}

    def open(self, *, strengthen: bool, progress: Any) -> Opened:
        def do() -> None:
            self.stream.slot = True
            self.world.data[self.source].lineage = self.rotation_id

        self.world.effect("open", do)
        return Opened(("shop",), 1, ())

    def retain(self) -> None:
        if not self.stream.slot:
            self.world.effect("slots", lambda: setattr(self.stream, "slot", True))

    def mark(self, kind: str) -> Position:
        return position(10)

    def retention(self) -> tuple[Retention, ...]:
        stream, fault = self.stream, self.replication.no_slots
        if fault is not None and self.back:
            self.replication.no_slots = None
            raise fault
        return (Retention("rotator_s", "shop", stream.enabled, 100, stream.lost),) if stream.slot else ()

    def position(self) -> Position:
        return position(10)

    def covers(self, one: Position, other: Position) -> bool:
        return rows(one) >= rows(other)

    def storage(self) -> Storage:
        return Storage(1 << 30, 1 << 20)

    def ddl(self) -> tuple[str, ...]:
        return tuple(self.replication.ddl)

    def not_carried(self) -> tuple[str, ...]:
        return ()

    def encryption(self) -> Encryption | None:
        return Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", "authority and name verified")

    def foreign_channels(self) -> tuple[str, ...]:
        return self.replication.foreign_subscriptions

    def release(self) -> tuple[str, ...]:
        if not self.stream.slot:
            return ()
        self.world.effect("close slots", lambda: setattr(self.stream, "slot", False))
        return ("slot removed",)

    def close(self, full: Mapping[str, str] | None = None) -> tuple[str, ...]:
        return self.release()

    def quarantine(self, budget_seconds: float) -> tuple[str, ...]:
        def do() -> None:
            self.world.shuts(self.target)
            data = self.world.data[self.target]
            data.fenced_by = data.lineage = self.rotation_id
            data.role = "green"

        self.world.effect("quarantine", do)
        return ()

    def shut(self, budget_seconds: float) -> None:
        data = self.world.data[self.target]
        data.shut(self.rotation_id)

    def imprint(self) -> Mapping[str, Any]:
        data = self.world.data[self.target]
        return {"shop": {"touched": f"{data.touched} {'shut' if data.fenced_by else 'open'}"}}

    def touched(self, before: Mapping[str, Any]) -> tuple[str, ...]:
        return () if before == self.imprint() else ("shop.public.item was changed",)

    def seed(self, log: Iterable[str], bracket: Bracket) -> Seed:
        if self.replication.problem:
            return Seed(None, (), ("blue: 0/A",), self.replication.problem)
        # The position is a number of rows here: what the snapshot holds.
        self.stream.sent = len(self.world.data[self.target].rows)
        return Seed(position(10), ("replay position", "log"), ())

    def attach(self, seed: Position | Mapping[str, Position] | None) -> None:
        def do() -> None:
            self.stream.subscribed, self.stream.at = True, self.target

        self.world.effect("subscribe", do)

    def start(self) -> None:
        self.world.effect("enable", lambda: setattr(self.stream, "enabled", True))

    def detach(self) -> None:
        """Whatever the other side is: a subscription is found on the server that has it."""
        direction = "back" if self.back else "forward"
        found = [s for (_, d), s in self.replication.streams.items() if d == direction and s.at == self.target]

        def do() -> None:
            for stream in found:
                stream.subscribed = stream.enabled = False

        if any(stream.subscribed for stream in found):
            self.world.effect("unsubscribe", do)

    def attached(self) -> bool:
        return self.stream.enabled

    def stop(self) -> None:
        self.stream.enabled = False

    def resume(self) -> tuple[str, ...]:
        if self.stream.subscribed and not self.stream.enabled:
            self.stream.enabled = True
            return ("switched on again",)
        return ()

    def workers(self) -> tuple[Worker, ...]:
        stream = self.stream
        running = stream.enabled and not self.replication.errors and not self.replication.cut
        return (Worker("rotator_s", stream.subscribed, stream.enabled, running),)

    def connection_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        return ("server closed the connection",) if self.replication.cut else ()

    def apply_errors(self, log: Iterable[str]) -> tuple[str, ...]:
        return self.replication.errors

    def apply_keys(self, log: Iterable[str]) -> tuple[str, ...]:
        return self.replication.keys

    def lag(self) -> Lag:
        if self.replication.errors or self._lost() or not self.stream.enabled:
            return Lag(100, None, ("rotator_s",))
        self._flow()
        return Lag(0, 0.0)

    def _lost(self) -> bool:
        self.replication.cut = max(0, self.replication.cut - 1)
        return self.replication.cut > 0

    def catch_up(self, seconds: float) -> None:
        if self.replication.errors or self._lost() or not self.stream.enabled:
            self.world.time += timedelta(seconds=seconds)
            raise DatabaseError("green does not have all of blue's changes in time", code="window-drain")
        self._flow()

    def verify(self, progress: Any) -> Verified:
        self.replication.compared.append(self.source)
        return self._compared(self.replication.flux)

    def _compared(self, unsettled: tuple[dict[str, str], ...]) -> Verified:
        self._flow()
        rows = len(self.world.data[self.source].rows)
        digests = {"shop.public.item": {"rows": rows, "digest": "d", "chunks": 1, "retried": 0, "hot": 0}}
        same = sorted(self.world.data[self.source].rows) == sorted(self.world.data[self.target].rows)
        found = () if same else ("table shop.public.item: row 1 differs",)
        return Verified(digests, unsettled, self.replication.differences or found, self.replication.by_key)

    def verify_again(self, unsettled: Sequence[Mapping[str, Any]], progress: Any) -> Verified:
        return self._compared(())

    def window(
        self,
        budgets: Budgets,
        unsettled: Sequence[Mapping[str, Any]],
        *,
        retain_back: bool,
        imprint: Mapping[str, Any] | None = None,
    ) -> FakeWindow:
        self.replication.in_window.append(len(unsettled))
        return FakeWindow(self, retain_back, imprint)


@dataclass
class FakeWindow:
    channel: FakeChannel
    retain_back: bool
    imprint: Mapping[str, Any] | None = None
    begun: bool = False
    opening: bool = False
    passed: bool = False

    def __enter__(self) -> FakeWindow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        dead = kind is not None and not issubclass(kind, Exception) and kind is not KeyboardInterrupt
        if self.begun and not self.passed and not dead:
            source, target = (self.channel.world.data[name] for name in (self.channel.source, self.channel.target))
            target.shut(self.channel.rotation_id)
            source.fenced_by, source.leased = None, False
            self.opening = False

    def prepare(self, progress: Any, check: Callable[[], None]) -> None:
        self.channel.replication.windows.append(self.channel.source)
        self.channel.world.shuts(self.channel.target)
        target = self.channel.world.data[self.channel.target]
        target.shut(self.channel.rotation_id)
        self._same_target()
        check()

    def _same_target(self) -> None:
        if self.imprint is not None and self.channel.touched(self.imprint):
            raise DatabaseError("Somebody may have written past the fence.", code="target-touched")

    def run(self) -> Passed:
        world, channel = self.channel.world, self.channel
        source, target = world.data[channel.source], world.data[channel.target]
        for row in channel.replication.late:
            world.write(row)
        self.begun = True

        def close() -> None:
            source.fenced_by, source.leased = channel.rotation_id, True

        world.effect("close", close)
        if channel.replication.touch_in_window:
            target.touched += 1
            target.rows[0], channel.replication.touch_in_window = "by hand", False
            self._same_target()
        if channel.replication.refuse_window:
            raise DatabaseError(channel.replication.refuse_window, code="window-drain")
        channel._flow()
        if sorted(source.rows) != sorted(target.rows):
            raise DatabaseError("Green's contents differ from blue's.", code="validate-contents")
        if self.retain_back:
            FakeChannel(
                world, channel.replication, channel.rotation_id, channel.target, channel.source, True
            ).stream.sent = len(target.rows)
        world.effect("seal", lambda: setattr(source, "leased", False))
        self.opening = True
        world.effect("open green", lambda: setattr(target, "fenced_by", None))
        self.passed = True
        return Passed(
            world.time.timestamp(),
            {"fence": 0.01, "drain": 0.02},
            (),
            1,
            imprint={"shop": {"touched": f"{source.touched} shut"}},
        )
