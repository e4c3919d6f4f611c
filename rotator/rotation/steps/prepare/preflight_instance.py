"""Preflight of blue itself: its status, settings that would be lost, tags, and what makes it more than one instance."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.domain.aws import Deployment
from rotator.domain.database import Finding
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.green import green_tags
from rotator.rotation.steps.findings import block

TAG_LIMIT = 50


def instance_findings(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    """What of blue's own state and settings stands in the way."""
    name = blue.identifier
    if blue.status != "available":
        fix = (
            f"aws rds start-db-instance --db-instance-identifier {name}" if blue.status == "stopped" else "Wait for it."
        )
        yield block("not-available", f"{name} is {blue.status}.", "Only an available instance can be snapshot.", fix)
    if blue.pending:
        yield block(
            "pending-modifications",
            f"{name} has pending modifications: {', '.join(sorted(blue.pending))}.",
            "Green would get the settings of now, and they would be lost.",
            "Let the maintenance window pass, or apply them immediately.",
        )
    yield from _tags(ctx, blue)
    yield from _groups(ctx, blue)
    for field in ctx.topology.lost(blue, ctx.env.config.rotation.parity_ignore):
        yield block(
            "may-be-lost",
            f"{name} has {field}, which neither Terraform's aws_db_instance nor this tool gives to green.",
            "Green could lack it, and the parity check would stop the rotation.",
            f'Remove it, or accept that green may lack it: parity_ignore = ["{field}"] in [rotation].',
        )
    for what in ctx.topology.not_carried(blue):
        yield block(
            "not-carried",
            f"{name} has {what}, which Terraform's aws_db_instance cannot set.",
            "Green would lack it, and the parity check would stop the rotation while writes are paused.",
            "Remove it before the rotation and set it on green afterwards, or leave this database alone.",
        )
    for what in ctx.topology.not_of_this_kind(blue):
        yield block(
            "not-standalone",
            f"{name} has {what}.",
            "A cluster member, a replica, or an instance with replicas is not moved by restoring one instance.",
            "Remove or promote the replicas first, or go another way (docs/ways.md).",
        )


def _groups(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    waiting = ctx.topology.not_in_force(blue)
    if waiting:
        yield Finding(
            "unsettled-groups",
            f"Groups of {blue.identifier} are not in force as they are: {', '.join(waiting)}.",
            "Green starts with them in force, so with settings that blue does not run with.",
            f"pending-reboot: reboot {blue.identifier} before the rotation; else wait until all are in force. "
            f'To accept it: parity_ignore = ["{ctx.topology.in_force_field}"] in [rotation].',
            blocks=ctx.topology.in_force_field not in ctx.env.config.rotation.parity_ignore,
        )


def _tags(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    wanted = green_tags(ctx, blue)
    over = len(wanted) - TAG_LIMIT
    if over > 0:
        own = ", ".join(sorted(ctx.rotation.tags))
        yield block(
            "too-many-tags",
            f"Green would have {len(wanted)} tags; AWS allows {TAG_LIMIT} on one resource.",
            f"It gets {blue.identifier}'s, those of [tags], and those by which the rotation knows its own ({own}).",
            f"Remove {over} tag{'s' if over > 1 else ''} from {blue.identifier} (aws rds remove-tags-from-resource "
            f"--resource-name {blue.arn} --tag-keys ...) or from [tags] in rotation.toml.",
        )
