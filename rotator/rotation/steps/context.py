"""All that a step is handed. Imports no SDK: steps see AWS, Terraform and databases as interfaces only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rotator.aws.interface import Dns, Identity, KeyUses, Kms, Rds
from rotator.config.schema import Env
from rotator.database.interface import DatabaseOpener
from rotator.domain.errors import journal_behind
from rotator.domain.progress import Progress
from rotator.domain.root import RootData, Stage
from rotator.domain.rotation import Rotation
from rotator.network.interface import Resolver
from rotator.rotation.steps.interfaces import Clock, Memory, Stages
from rotator.topology.interface import Topology


@dataclass(frozen=True)
class Options:
    """What the user said on the command line."""

    approvals: frozenset[str] = frozenset()
    delete_snapshots: bool = False
    no_wait: bool = False
    lose_writes: bool = False
    taking_back: bool = False
    """A rollback: rotate is refused until it has ended, so no advice may name it."""


@dataclass(frozen=True)
class Context:
    """All that a step is handed. `databases` is None where the tool may not connect (database.access = "none")."""

    env: Env
    rotation: Rotation
    memory: Memory
    rds: Rds
    topology: Topology
    kms: Kms
    key_uses: KeyUses
    dns: Dns
    identity: Identity
    resolver: Resolver
    databases: DatabaseOpener | None
    stages: Stages
    clock: Clock
    options: Options
    progress: Progress

    @property
    def data(self) -> RootData:
        """The root's data; only for steps after adopt."""
        root = self.memory.root()
        if root is None:
            raise LookupError("the root has no data before the adopt step")
        return root

    def apply(self, stage: Stage, after: RootData) -> bool:
        """Apply one stage of the root, from the data as it is to `after`."""
        changed = self.stages.apply(stage, self.data, after, self.memory.stage, self.progress)
        self.memory.commit()
        return changed

    def apply_through_gate(self, stage: Stage, after: RootData, decide: Callable[[], Literal[True]]) -> bool:
        """Apply a stage whose flip waits for `decide` inside the apply."""
        changed = self.stages.apply_through_gate(stage, self.data, after, self.memory.stage, self.progress, decide)
        self.memory.commit()
        return changed

    def midway(self, step: str) -> bool:
        """Whether a killed run was applying this step's stage: it must go through the plan again, whatever the world
        shows.
        """
        return self.memory.pending() is not None and not self.memory.is_done(step)

    def refuse_unheard_of(self, step: str, thing: str) -> None:
        """Raise Blocked when our own thing is there although its step was never begun: the intent comes first."""
        if not self.memory.began(step):
            raise journal_behind(f"{thing} exists, and step {step} was never begun in it.")

    def take_in(self, stage: Stage, after: RootData) -> None:
        """Import what a killed run made and Terraform's state does not hold; `after` carries the imports."""
        self.apply(stage, after)
