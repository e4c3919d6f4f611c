"""The database engines that the tool speaks: a folder each, and a row here.

Steps never import this file (drivers come with it): they are handed an opener, and ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rotator.database.channel import Channel
from rotator.database.interface import DatabaseServer, Target
from rotator.database.postgres.lsn import ENGINE as POSTGRES
from rotator.database.postgres.replication.channel import PostgresChannel
from rotator.database.postgres.server import PostgresServer


class _Serve(Protocol):
    def __call__(self, target: Target) -> DatabaseServer: ...


class _Join(Protocol):
    def __call__(self, rotation_id: str, source: Target, target: Target, back: bool, pinned: bool) -> Channel: ...


@dataclass(frozen=True)
class Engine:
    """One engine family. `name` is what positions carry; `serves` are RDS's names of engines (DescribeDBInstances).

    `database`: where the tool's marker goes when the instance names no database of its own. `server` gives a server at
    a target, `channel` one direction between two.
    """

    name: str
    serves: frozenset[str]
    database: str
    server: _Serve
    channel: _Join


ENGINES = (Engine(POSTGRES, frozenset({"postgres"}), "postgres", PostgresServer, PostgresChannel),)


def serving(engine: str) -> Engine | None:
    """The engine that speaks with instances of RDS's engine of that name; None when there is none yet."""
    return next((each for each in ENGINES if engine in each.serves), None)
