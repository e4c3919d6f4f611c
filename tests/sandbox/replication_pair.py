"""Blue and green as the sandbox makes them: real servers, a real snapshot in between, the master user of RDS."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from rotator.database.interface import Target
from rotator.database.position import Position
from rotator.database.postgres.lsn import lsn_text
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.seed import Bracket
from rotator.sandbox.postgres import binaries, snapshots
from rotator.sandbox.postgres.account import server_account
from rotator.sandbox.postgres.authority import Authority
from rotator.sandbox.postgres.binaries import Binaries
from rotator.sandbox.postgres.cluster import Cluster

PASSWORD, MASTER, DATABASE, ROTATION = "secret", "shop_admin", "shop", "local-g1"


@dataclass
class Pair:
    """`green` appears with `seed`. Positions as the steps would note them."""

    folder: Path
    blue: Cluster
    green: Cluster | None = None
    bracket: Bracket | None = None

    @property
    def source(self) -> Target:
        return self.blue.target(PASSWORD, DATABASE)

    @property
    def target(self) -> Target:
        assert self.green is not None
        return self.green.target(PASSWORD, DATABASE)

    @property
    def forward(self) -> PostgresChannel:
        there = self.target if self.green is not None else self.source
        return PostgresChannel(ROTATION, self.source, there, pinned=True)

    @property
    def back(self) -> PostgresChannel:
        return PostgresChannel(ROTATION, self.target, self.source, back=True, pinned=True)

    def open(self, *, strengthen: bool = False) -> None:
        self.forward.open(strengthen=strengthen, progress=lambda fraction, text: None)

    def snapshot(self, name: str = "snap") -> Path:
        low = self.forward.mark("low")
        where = self.folder / "snapshots" / name
        where.parent.mkdir(mode=0o711, exist_ok=True)
        snapshots.take(self.blue, where)
        high = self.forward.mark("high")
        self.bracket = Bracket(low, high)
        return where

    def restore(self, where: Path, name: str = "green") -> None:
        instances = self.folder / "instances"
        self.green = snapshots.restore(
            where, instances / name, self.blue.settings.extra, frozenset({self.blue.address})
        )

    def log(self) -> list[str]:
        assert self.green is not None
        return (self.green.folder / "server.log").read_text(errors="replace").splitlines()

    def seed(self) -> Position:
        """Quarantine green and find the seed."""
        assert self.bracket is not None
        self.forward.quarantine(10.0)
        found = self.forward.seed(self.log(), self.bracket)
        assert found.position is not None, (found.problem, found.figures)
        return found.position

    def follow(self) -> None:
        """From an opened blue to a green that follows it."""
        self.restore(self.snapshot())
        self.forward.attach(self.seed())
        self.forward.start()
        self.forward.catch_up(60.0)
        self.back.retain()

    def turn(self) -> None:
        """After a window: blue follows green."""
        self.forward.detach()
        self.forward.release()
        self.back.attach(None)
        self.back.start()

    def connect(self, cluster: Cluster | None = None, user: str = MASTER, **more: Any) -> psycopg.Connection[Any]:
        where = (cluster or self.blue).target(PASSWORD, DATABASE)
        options = {"autocommit": True, "dbname": DATABASE, **more}
        return psycopg.connect(host=where.host, port=where.port, user=user, password=PASSWORD, **options)

    def run(self, *statements: str, on: Cluster | None = None) -> None:
        with self.connect(on) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def rows(self, statement: str, on: Cluster | None = None) -> list[tuple[Any, ...]]:
        with self.connect(on) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]


@cache
def _template(programs: Binaries | None) -> Path:
    """A new server's folder, stopped: made once in a process, for every blue is a copy of it."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-template-"))
    atexit.register(shutil.rmtree, folder)
    folder.chmod(0o711)
    if programs is not None:
        programs = binaries.readable_by(programs, server_account(), folder / "programs")
    made = Cluster.create(
        folder / "blue",
        password=PASSWORD,
        master=MASTER,
        database=DATABASE,
        binaries=programs,
        authority=Authority.make(folder / "authority") if (programs or binaries.find()).tls else None,
    )
    made.stop()
    return made.folder


@contextmanager
def running_pair(
    *statements: str, superuser: bool = False, programs: Binaries | None = None, **extra: str
) -> Iterator[Pair]:
    """A blue with these tables; nothing of either server stays. `programs`: another PostgreSQL than the sandbox's.

    `superuser`: the master may make event triggers, as rds_superuser may on RDS, and subscriptions before version 16.
    """
    folder = Path(tempfile.mkdtemp(prefix="rotator-pair-"))
    folder.chmod(0o711)
    (folder / "instances").mkdir(mode=0o711)
    pair = Pair(folder, snapshots.restore(_template(programs), folder / "instances" / "blue", extra, frozenset()))
    blue = pair.blue
    try:
        with blue.admin() as admin:
            if superuser or admin.info.server_version < 160000:
                admin.execute(f"alter role {MASTER} superuser".encode())
        pair.run(*statements)
        yield pair
    finally:
        for cluster in (pair.green, pair.blue):
            if cluster is not None:
                cluster.kill()
        shutil.rmtree(folder)


def place(position: int) -> str:
    """For messages."""
    return lsn_text(position)
