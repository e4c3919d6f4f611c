"""Blue and green as the sandbox makes them: real servers, a real snapshot in between, the master user of RDS.

The servers are the sandbox's choice (see rotator.sandbox.postgres.binaries); ROTATOR_PG_BIN names another folder of
programs.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from plain import open_plain

from rotator.database.interface import Target
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.seed import Bracket
from rotator.domain.errors import DatabaseError
from rotator.sandbox.postgres import binaries, snapshots
from rotator.sandbox.postgres.authority import Authority
from rotator.sandbox.postgres.cluster import Cluster

DATABASE, MASTER, ROTATION = "shop", "shop_admin", "bench-g1"
CATCH_UP_SECONDS = 60.0
QUARANTINE_SECONDS = 30.0
SUBSCRIBES_SINCE = 160000
SETTINGS = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
"""Little log, so that a snapshot is a short copy."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108  a folder of its own is made there
ROOM_BYTES = 1 << 30


@dataclass(frozen=True)
class Cut:
    """A snapshot, the positions around it, and the monotonic times between which its processes stood still."""

    folder: Path
    bracket: Bracket
    began: float
    ended: float


@dataclass
class Pair:
    """One rotation's two servers; `green` appears with `restore`."""

    folder: Path
    blue: Cluster
    password: str = field(repr=False)
    green: Cluster | None = None

    def target(self, cluster: Cluster) -> Target:
        """How the master user connects."""
        return cluster.target(self.password, DATABASE)

    @property
    def forward(self) -> PostgresChannel:
        """From blue to green; as long as there is no green, only what concerns blue may be called."""
        there = self.target(self.green or self.blue)
        return PostgresChannel(ROTATION, self.target(self.blue), there, pinned=True)

    @property
    def back(self) -> PostgresChannel:
        """From green to blue."""
        return PostgresChannel(ROTATION, self.target(self._green()), self.target(self.blue), back=True, pinned=True)

    def snapshot(self, moment: float = 0.0) -> Cut:
        """Between its two sentinels, `moment` seconds after the first: where the cut falls must not depend on it."""
        channel = self.forward
        low = channel.mark("low")
        time.sleep(moment)  # not a wait for anything
        folder = self.folder / "snapshot"
        began = time.monotonic()
        snapshots.take(self.blue, folder)
        ended = time.monotonic()
        high = channel.mark("high")
        return Cut(folder, Bracket(low, high), began, ended)

    def restore(self, cut: Cut) -> Cluster:
        """Start green from it. The snapshot is removed."""
        taken = frozenset({self.blue.address})
        self.green = snapshots.restore(cut.folder, self.folder / "green", self.blue.settings.extra, taken)
        shutil.rmtree(cut.folder)
        return self.green

    def follow(self) -> None:
        """From a fresh blue to a green that follows it, with slots for the way back. Raises DatabaseError."""
        self.forward.open(strengthen=True, progress=lambda fraction, text: None)
        cut = self.snapshot()
        self.restore(cut)
        self.forward.quarantine(QUARANTINE_SECONDS)
        seed = self.forward.seed(self.log(), cut.bracket)
        if seed.position is None:
            raise DatabaseError("no seed", why="; ".join((seed.problem, *seed.figures)), code="seed")
        self.forward.attach(seed.position)
        self.forward.start()
        self.forward.catch_up(CATCH_UP_SECONDS)
        self.back.retain()

    def turn(self) -> None:
        """After a window: blue follows green."""
        self.forward.detach()
        self.forward.release()
        self.back.attach(None)
        self.back.start()
        self.back.catch_up(CATCH_UP_SECONDS)

    def log(self) -> list[str]:
        """Green's server log."""
        return self._green().log.read_text(errors="replace").splitlines()

    def drop_green(self) -> None:
        """End green and remove it, and a snapshot that was not restored."""
        if self.green is not None:
            self.green.kill()
            self.green = None
        for leftover in ("green", "snapshot", "snapshot.partial"):
            shutil.rmtree(self.folder / leftover, ignore_errors=True)

    def _green(self) -> Cluster:
        if self.green is None:
            raise LookupError("there is no green yet")
        return self.green


@contextmanager
def running_blue(statements: str, settings: Mapping[str, str] | None = None) -> Iterator[Pair]:
    """A blue with what `statements` make; nothing of either server stays."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-bench-", dir=_home()))
    folder.chmod(0o711)  # the servers' account must be able to pass
    password = secrets.token_urlsafe(16)
    pair: Pair | None = None
    try:
        blue = Cluster.create(
            folder / "blue",
            password=password,
            master=MASTER,
            database=DATABASE,
            extra={**SETTINGS, **(settings or {})},
            authority=Authority.make(folder / "authority") if binaries.find().tls else None,
        )
        pair = Pair(folder, blue, password)
        let_subscribe(blue)
        with connected(pair.target(blue)) as connection:
            connection.execute(statements.encode())
        yield pair
    finally:
        if pair is not None:
            pair.drop_green()
            pair.blue.kill()
        shutil.rmtree(folder)


def _home() -> Path | None:
    """In memory where there is room and programs may run, as a snapshot's copy freezes blue. TMPDIR wins.

    None: where temporary files usually are.
    """
    if "TMPDIR" in os.environ or not IN_MEMORY.is_dir() or shutil.disk_usage(IN_MEMORY).free < ROOM_BYTES:
        return None
    return None if os.statvfs(IN_MEMORY).f_flag & os.ST_NOEXEC else IN_MEMORY


def let_subscribe(cluster: Cluster) -> None:
    """Before version 16 only superusers may subscribe (RDS lets its master user): there the master is made one."""
    with cluster.admin() as admin:
        if admin.info.server_version < SUBSCRIBES_SINCE:
            admin.execute(f"alter role {MASTER} superuser")


@contextmanager
def connected(target: Target) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A client's connection, in autocommit."""
    connection = open_plain(target)
    try:
        yield connection
    finally:
        connection.close()


def version(cluster: Cluster) -> str:
    """Such as '18.4'."""
    with cluster.admin() as admin:
        text = admin.info.parameter_status("server_version") or "of an unknown version"
    return text.split()[0]
