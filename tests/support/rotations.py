"""A workbench over a world in memory, as wiring.py makes one over the real parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes import (
    FakeClock,
    FakeDatabases,
    FakeDns,
    FakeIdentity,
    FakeKeyUses,
    FakeKms,
    FakeRds,
    FakeResolver,
    FakeStages,
    RecordingReporter,
    World,
    env,
)

from rotator.commands.services import Services
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper


def services(world: World, tmp_path: Path, reporter: Any = None, **rotation: Any) -> Services:
    loaded = env(tmp_path, **rotation)
    access = loaded.config.database.access
    return Services(
        env=loaded,
        keeper=local_keeper("shop", tmp_path),
        rds=FakeRds(world),
        kms=FakeKms(world),
        key_uses=FakeKeyUses(world),
        dns=FakeDns(world),
        identity=FakeIdentity(),
        resolver=FakeResolver(world),
        databases=FakeDatabases(world) if access == "direct" else None,
        stages=FakeStages(world),
        reporter=reporter or RecordingReporter(),
        clock=FakeClock(world),
        nonce=world.nonce,
    )


def phase(tmp_path: Path) -> Phase:
    latest = local_keeper("shop", tmp_path).load().latest()
    assert latest is not None
    return latest.phase
