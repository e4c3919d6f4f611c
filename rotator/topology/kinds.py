"""The kinds of deployments that the tool moves: a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rotator.aws.interface import Rds
from rotator.topology.instance import SingleInstance
from rotator.topology.interface import Topology

INSTANCE = "instance"
KINDS: Mapping[str, Callable[[Rds], Topology]] = {INSTANCE: SingleInstance}


def topology(rds: Rds, kind: str = INSTANCE) -> Topology:
    """The rules of that kind, over these calls. Raises KeyError for a kind that is not known."""
    return KINDS[kind](rds)
