"""The runbook, as tuples of steps: they read in the order in which they run."""

from __future__ import annotations

from rotator.model import Strategy
from rotator.steps.adopt import Adopt
from rotator.steps.base import AnyStep
from rotator.steps.catchup import CatchUp
from rotator.steps.cleanup import CleanUp
from rotator.steps.cutover import Cutover, Ungate
from rotator.steps.fence import Fence
from rotator.steps.flipback import CloseWayBack, WayBack
from rotator.steps.green import Green
from rotator.steps.key import LowerTtl, NewKey
from rotator.steps.open import Open
from rotator.steps.parity import Parity
from rotator.steps.preflight import Preflight
from rotator.steps.restore_ttl import RestoreTtl
from rotator.steps.retire import FinalReencrypt, FinalSnapshot, RetireCheck, RetireDatabase, Unprotect
from rotator.steps.retire_key import DisableKey, RetireKey, RetireSnapshots
from rotator.steps.seeding import MarkedSnapshot, Seed
from rotator.steps.snapshots import Reencrypt, TakeSnapshot
from rotator.steps.soak import Soak
from rotator.steps.switch import Switch
from rotator.steps.validate import Validate
from rotator.steps.verify import VerifyOnline

_SNAPSHOT: tuple[AnyStep, ...] = (
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
    Ungate(),
    Soak(),
)

_REPLICATE: tuple[AnyStep, ...] = (
    Preflight(),
    Adopt(),
    LowerTtl(),
    NewKey(),
    Open(),
    MarkedSnapshot(),
    Reencrypt(),
    Green(),
    Parity(),
    Seed(),
    CatchUp(),
    VerifyOnline(),
    Switch(),
    WayBack(),
    Ungate(),
    Soak(),
)

_RETIRE: tuple[AnyStep, ...] = (
    RetireCheck(),
    FinalSnapshot(),
    FinalReencrypt(),
    Unprotect(),
    RestoreTtl(),
    RetireDatabase(),
    RetireSnapshots(),
    DisableKey(),
    RetireKey(),
)

# The order in which rollback takes steps back: the name first, then what keeps or holds up blue's writes; then what the
# rotation made, the newest first.
_BACK = {
    Strategy.SNAPSHOT: ("cutover", "fence", "green", "re-encrypt", "snapshot", "key", "lower-ttl"),
    Strategy.REPLICATE: (
        *("cutover", "way-back", "catch-up", "open"),
        *("green", "re-encrypt", "snapshot", "key", "lower-ttl"),
    ),
}


def rotation_steps(strategy: Strategy) -> tuple[AnyStep, ...]:
    """The steps of a rotation with that strategy; undecided ones are shown as snapshot."""
    return _REPLICATE if strategy is Strategy.REPLICATE else _SNAPSHOT


def retire_steps(strategy: Strategy) -> tuple[AnyStep, ...]:
    """The steps of retiring a rotation that had that strategy."""
    return (_RETIRE[0], CloseWayBack(), *_RETIRE[1:]) if strategy is Strategy.REPLICATE else _RETIRE


def key_steps() -> tuple[AnyStep, ...]:
    """The steps of retiring that are left once blue is gone."""
    return _RETIRE[_RETIRE.index(next(step for step in _RETIRE if step.name == "retire-snapshots")) :]


def last_steps() -> tuple[AnyStep, ...]:
    """What a rollback does when all has been taken back."""
    return (CleanUp(),)


def rollback_steps(strategy: Strategy) -> tuple[AnyStep, ...]:
    """The steps that a rollback takes back, in its order."""
    by_name = {step.name: step for step in rotation_steps(strategy)}
    known = Strategy.REPLICATE if strategy is Strategy.REPLICATE else Strategy.SNAPSHOT
    return tuple(by_name[name] for name in _BACK[known])
