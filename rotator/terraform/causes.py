"""Why a plan holds what a stage may not change, and what to do: the cause by its attributes, not by a guess. Pure."""

from __future__ import annotations

from collections.abc import Collection

from rotator.domain.addresses import KEY_TYPE, RECORD_TYPE
from rotator.domain.root import Stage

TAGS = frozenset({"tags", "tags_all"})
ROUTING = frozenset(
    {
        "cidr_routing_policy",
        "failover_routing_policy",
        "geolocation_routing_policy",
        "geoproximity_routing_policy",
        "latency_routing_policy",
        "multivalue_answer_routing_policy",
        "set_identifier",
        "weighted_routing_policy",
    }
)

_TAGS = (
    "tags differ: a person or an automatic tagger changed them after the tool had read them (run the same "
    "command again), or a provider adds or hides them: default_tags and ignore_tags in the root's versions.tf, "
    "TF_AWS_DEFAULT_TAGS_* and TF_AWS_IGNORE_TAGS_* if you run terraform yourself; put your own tags into [tags] "
    "in rotation.toml"
)
_HAND_MADE = (
    "undo the manual change in the root (`git diff` in the env's folder) or outside of Terraform, then run it again"
)


def way_out(stage: Stage, address: str, attributes: Collection[str]) -> str:
    """What to do about a change at `address` that would touch `attributes` (none: the whole resource)."""
    named = frozenset(attributes)
    if named and named <= TAGS:
        return _TAGS
    found = _by_type(address, named)
    if found is not None:
        return found
    return _adopting(address, named) if stage is Stage.ADOPT else _HAND_MADE


def _by_type(address: str, named: frozenset[str]) -> str | None:
    if f".{RECORD_TYPE}." in address:
        if "health_check_id" in named:
            return "remove the health check from the record in Route 53: the root describes a simple CNAME without one"
        if named & ROUTING:
            return "the record has a routing policy in Route 53: make it a simple CNAME, as the root describes it"
    return switched_key(address, named)


def switched_key(address: str, attributes: Collection[str]) -> str | None:
    """What to do about a key that was enabled or disabled outside of Terraform; None for any other change."""
    if f".{KEY_TYPE}." not in address or frozenset(attributes) != {"is_enabled"}:
        return None
    return (
        "the key was enabled or disabled outside of Terraform: if an earlier rotation has kept or disabled it, run "
        "the same command again, which notes the change; else undo the change"
    )


def _adopting(address: str, named: frozenset[str]) -> str:
    """At adoption the root has no manual changes: its data is what the tool has just read from AWS."""
    if not named:
        return (
            f"check whether {address} still exists in AWS: an import creates and deletes nothing, and the root's data "
            "is what the tool has just read. Run the same command again"
        )
    names = ", ".join(sorted(named))
    return (
        f"the root's data is what the tool has just read from AWS, so {names} was changed meanwhile (run the same "
        "again), or has a value in AWS that the root cannot describe: `terraform plan` shows both; set it in AWS to "
        "the planned value, if that is harmless. Do not undo anything in the root"
    )
