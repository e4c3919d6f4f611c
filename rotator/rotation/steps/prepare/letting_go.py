"""Further records that the root no longer holds: taken out of its state and data, and left as they are in Route 53."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.addresses import also
from rotator.domain.root import EndpointSpec
from rotator.journal.results import CutoverResult, KeyResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import adrift


def leaving(ctx: Context) -> tuple[EndpointSpec, ...]:
    """Those that rotate lets go of.

    Before anything is made: what [dns] also no longer names. Until the flip: those of them that lead to neither side;
    one that still leads to blue must flip with the others. After the flip: whatever is deleted or was moved by hand.
    """
    root = ctx.memory.root()
    if root is None or ctx.memory.result(CutoverResult).applied:
        return strays(ctx)
    candidates = strays(ctx) if ctx.memory.began(KeyResult.step) else root.also
    return tuple(record for record in candidates if record.name not in ctx.env.config.dns.also)


def strays(ctx: Context) -> tuple[EndpointSpec, ...]:
    """Those that retire and rollback let go of: deleted, or moved by hand to neither side."""
    return tuple(record for record, _ in adrift(ctx))


def let_go(ctx: Context, records: Sequence[EndpointSpec]) -> tuple[str, ...]:
    """Forget them, the state first: when that is cut off, the data still says what is to be done. What was done."""
    if not records:
        return ()
    for record in records:
        ctx.stages.forget(_address(record))
    ctx.memory.let_go([record.key for record in records])
    return tuple(
        f"{record.name} in zone {record.zone_id} flips no longer: the root has let go of it" for record in records
    )


def forgotten(records: Sequence[EndpointSpec]) -> tuple[str, ...]:
    """For `plan`: what rotate will forget, before which no plan of the root is clean."""
    return tuple(f"rotate takes {_address(record)} out of the state first, and changes nothing" for record in records)


def _address(record: EndpointSpec) -> str:
    return also(record.key)
