"""The runbook, as tuples of steps: they read in the order in which they run."""

from __future__ import annotations

from rotator.steps.adopt import Adopt
from rotator.steps.base import Step
from rotator.steps.cutover import Cutover, RestoreTtl
from rotator.steps.fence import Fence
from rotator.steps.green import Green, Parity
from rotator.steps.key import LowerTtl, NewKey
from rotator.steps.preflight import Preflight
from rotator.steps.retire import FinalReencrypt, FinalSnapshot, RetireCheck, RetireDatabase, Unprotect
from rotator.steps.retire_key import DisableKey, RetireKey, RetireSnapshots
from rotator.steps.snapshots import Reencrypt, TakeSnapshot
from rotator.steps.soak import Soak
from rotator.steps.validate import Validate

ROTATION: tuple[Step, ...] = (
    Preflight(),
    Adopt(),
    LowerTtl(),
    NewKey(),
    Fence(),
    TakeSnapshot(),
    Reencrypt(),
    Green(),
    Parity(),
    Validate(),
    Cutover(),
    RestoreTtl(),
    Soak(),
)

RETIRE: tuple[Step, ...] = (
    RetireCheck(),
    FinalSnapshot(),
    FinalReencrypt(),
    Unprotect(),
    RetireDatabase(),
    RetireSnapshots(),
    DisableKey(),
    RetireKey(),
)

_BY_NAME = {step.name: step for step in ROTATION}

# The order in which rollback takes steps back: the name first, then the fence, so that writes flow again as soon as
# they safely can; then what the rotation made, the newest first.
ROLLBACK: tuple[Step, ...] = tuple(
    _BY_NAME[name] for name in ("cutover", "fence", "green", "re-encrypt", "snapshot", "key", "lower-ttl")
)
