"""The services of every verb, wired: a frozen bundle, so that tests can pass fakes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from rotator.aws.interface import Dns, Identity, KeyUses, Kms, Rds
from rotator.config.schema import Env
from rotator.database.interface import DatabaseOpener
from rotator.domain.root import RootData
from rotator.host.started import place
from rotator.journal.document import RotationRecord
from rotator.journal.keeper import Keeper
from rotator.journal.memory import JournalMemory
from rotator.network.interface import Resolver
from rotator.report.live.interface import Reporter
from rotator.rotation.engine import Engine
from rotator.rotation.steps.context import Context, Options
from rotator.rotation.steps.interfaces import Clock, Stages
from rotator.topology.interface import Topology
from rotator.topology.kinds import topology


class MeasuredStages(Stages, Protocol):
    """Stages that also report how long Terraform ran in this process."""

    @property
    def runs(self) -> tuple[tuple[str, float], ...]:
        """(subcommand, seconds) of every run so far."""
        ...

    def review(self, start: RootData, *, adopted: bool, midway: bool) -> tuple[str, ...]:
        """What a plan of the root shows now; for an env that is not `adopted` yet, of its adoption from `start`.

        `midway`: a killed run was applying a stage, so the plan need not be empty.

        Raises Blocked when it would change anything that the stage at hand may not.
        """
        ...


def new_nonce() -> str:
    """Digits that distinguish a rotation from another clone's rotation of the same name."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Services:
    """One env with its clients. `canary` fetches the write canary's report, or is None; `nonce` draws a rotation's."""

    env: Env
    keeper: Keeper
    rds: Rds
    kms: Kms
    key_uses: KeyUses
    dns: Dns
    identity: Identity
    resolver: Resolver
    databases: DatabaseOpener | None
    stages: MeasuredStages
    reporter: Reporter
    clock: Clock
    canary: Callable[[], Mapping[str, Any]] | None = None
    nonce: Callable[[], str] = new_nonce
    waiting: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    """Progress lines for work outside of a step: `with bench.waiting("asking AWS"): ...`."""
    holder: Callable[[], str | None] = lambda: None
    """The run that holds the env now, in words; None if there is none."""
    place: Callable[[], str] = place
    """USER@HOST of this process."""

    @property
    def topology(self) -> Topology:
        """The kind of deployment that the env has."""
        return topology(self.rds)

    def engine(self, memory: JournalMemory) -> Engine:
        """An engine over that memory."""
        return Engine(memory, self.reporter, self.clock, self.env.config.rotation.poll_seconds)

    def context(self, memory: JournalMemory, record: RotationRecord, options: Options) -> Context:
        """The context that the steps receive."""
        return Context(
            env=self.env,
            rotation=record.rotation,
            memory=memory,
            rds=self.rds,
            topology=self.topology,
            kms=self.kms,
            key_uses=self.key_uses,
            dns=self.dns,
            identity=self.identity,
            resolver=self.resolver,
            databases=self.databases,
            stages=self.stages,
            clock=self.clock,
            options=options,
            progress=lambda fraction, detail: None,
        )
