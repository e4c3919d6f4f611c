"""Every name that a rotation gives, derived from the env, the instance and the generations; pure, never from the clock.

Rules as in the RDS API reference (CreateDBInstance, CreateDBSnapshot, "Naming constraints in Amazon RDS") and the KMS
API reference (CreateAlias).
"""

from __future__ import annotations

import re

from rotator.domain.errors import Blocked
from rotator.domain.rotation import Rotation, Strategy

INSTANCE_LIMIT = 63
SNAPSHOT_LIMIT = 255
ALIAS_LIMIT = 256

_GENERATION_SUFFIX = re.compile(r"-g\d+$")
_IDENTIFIER = re.compile(r"[a-z](?:-?[a-z0-9])*")


def identifier_fault(identifier: str) -> str | None:
    """What keeps `identifier` from being an RDS identifier as RDS stores it (lower case), in words; None when sound."""
    if _IDENTIFIER.fullmatch(identifier):
        return None
    if _IDENTIFIER.fullmatch(identifier.lower()):
        return f"RDS keeps identifiers in lower case: write {identifier.lower()!r}"
    return "it must be letters, digits and single hyphens, begin with a letter, and not end in a hyphen"


def base_identifier(identifier: str) -> str:
    """The instance's identifier without the mark of a generation: 'orders-g3' -> 'orders'."""
    return _GENERATION_SUFFIX.sub("", identifier)


def green_identifier(blue_identifier: str, target: str) -> str:
    """Green's identifier: the base with the target generation."""
    return f"{_base(blue_identifier, target)}-{target}"


def plan_rotation(
    env: str, blue_identifier: str, source: str, target: str, *, key_alias: str, strategy: Strategy
) -> Rotation:
    """All names of the rotation of `blue_identifier` from generation `source` to `target` ('g0' -> 'g1').

    Raises Blocked (code identifier-too-long) when AWS would refuse one of them for its length.
    """
    base = _base(blue_identifier, target)
    stem = f"rotator-{base}"
    rotation = Rotation(
        id=f"{env}-{target}",
        env=env,
        source=source,
        target=target,
        strategy=strategy,
        blue=blue_identifier,
        green=f"{base}-{target}",
        source_snapshot=f"{stem}-{target}-source",
        copy_snapshot=f"{stem}-{target}-reencrypted",
        final_snapshot=f"{stem}-{source}-final-{target}",
        final_copy=f"{stem}-{source}-final-{target}-reencrypted",
        rolled_back_snapshot=f"{stem}-{target}-rolled-back",
        new_alias=f"{key_alias}-{target}",
    )
    _check_lengths(rotation)
    return rotation


def _base(blue_identifier: str, target: str) -> str:
    base = base_identifier(blue_identifier)
    # A database that was called orders-g1 before it was adopted as g0: green may not get blue's own name.
    return blue_identifier if f"{base}-{target}" == blue_identifier else base


def _check_lengths(rotation: Rotation) -> None:
    _within(INSTANCE_LIMIT, "The DB instance identifier", rotation.green)
    for snapshot in (
        rotation.source_snapshot,
        rotation.copy_snapshot,
        rotation.final_snapshot,
        rotation.final_copy,
        rotation.rolled_back_snapshot,
    ):
        _within(SNAPSHOT_LIMIT, "The DB snapshot identifier", snapshot)
    _within(ALIAS_LIMIT, "The key alias", rotation.new_alias)


def _within(limit: int, what: str, name: str) -> None:
    if len(name) > limit:
        raise Blocked(
            f"{what} {name} would be too long: {len(name)} characters, the limit is {limit}.",
            why="Names of a rotation are derived from blue's identifier and the next generation.",
            fix="Give blue a shorter identifier, or choose a shorter [key] alias, then run it again.",
            code="identifier-too-long",
        )
