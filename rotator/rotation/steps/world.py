"""Looks at the world that several steps share: blue, green, the record, and how to connect to them."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.database.interface import DatabaseServer
from rotator.domain.aws import Deployment, Record
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import Blocked
from rotator.domain.root import EndpointSpec
from rotator.rotation.steps.context import Context


def instance(ctx: Context, identifier: str) -> Deployment:
    """That instance; raises Blocked when there is none."""
    found = ctx.topology.find(identifier)
    if found is None:
        names = ", ".join(i.identifier for i in ctx.rds.instances()) or "none"
        region = ctx.env.config.aws.region
        raise Blocked(
            f"There is no DB instance {identifier} in {region}.",
            why=f"RDS knows these: {names}.",
            fix=f"Correct [database] identifier or [aws] region in {ctx.env.path / CONFIG_FILE}.",
            code="no-such-database",
        )
    return found


def blue_instance(ctx: Context) -> Deployment:
    """The instance that serves now."""
    return instance(ctx, ctx.rotation.blue)


def zone_id(ctx: Context) -> str:
    """The zone of the applications' name; raises Blocked when there is none."""
    dns = ctx.env.config.dns
    found = dns.zone_id or ctx.dns.zone_id(dns.zone, private=dns.private_zone)
    if found is None:
        kind = "private" if dns.private_zone else "public"
        raise Blocked(
            f"There is no {kind} hosted zone {dns.zone}.",
            why="Route 53 lists none by that name for these credentials.",
            fix="Correct [dns] zone, private_zone or zone_id in rotation.toml.",
            code="no-such-zone",
        )
    return found


def blue_record(ctx: Context) -> Record:
    """The applications' record; raises Blocked when it is not a plain CNAME."""
    name = ctx.env.config.dns.record
    found = ctx.dns.record(zone_id(ctx), name)
    if found is None:
        raise Blocked(
            f"There is no record {name} in zone {ctx.env.config.dns.zone}.",
            why="The flip changes an existing CNAME that applications already use.",
            fix=f"Create it as a CNAME to the endpoint of {ctx.rotation.blue}, let applications use it, then rotate.",
            code="no-such-record",
        )
    if not found.is_plain_cname:
        what = found.routing_policy or ("alias" if found.alias else found.kind)
        raise Blocked(
            f"The record {name} is not a plain CNAME but {what}.",
            why="The flip replaces the one value of a simple CNAME; any other record would change its meaning.",
            fix=f"Make {name} a simple CNAME to the endpoint of {ctx.rotation.blue}.",
            code="record-not-cname",
        )
    if found.health_check:
        raise Blocked(
            f"The record {name} has the health check {found.health_check}.",
            why="It is the only record of its name, so there is nothing to fail over to; and the root describes none, "
            "so adopting it would take the check off.",
            fix=f"Take it off by hand if nothing needs it: the same record without HealthCheckId, as an UPSERT of aws "
            f"route53 change-resource-record-sets --hosted-zone-id {found.zone_id}.",
            code="record-health-check",
        )
    return found


def points_at(ctx: Context) -> str | None:
    """The applications' record's target now, lower case; None when the record is gone."""
    root = ctx.memory.root()
    if root is not None:
        return _target(ctx, root.endpoint)
    found = ctx.dns.record(zone_id(ctx), ctx.env.config.dns.record)
    return found.values[0].lower() if found and found.values else None


def _target(ctx: Context, record: EndpointSpec) -> str | None:
    found = ctx.dns.record(record.zone_id, record.name)
    return found.values[0].lower() if found and found.values else None


def is_at(ctx: Context, identifier: str) -> bool:
    """Whether all records that flip point at that instance's endpoint; adrift ones do not count."""
    return not elsewhere(ctx, identifier)


def elsewhere(ctx: Context, identifier: str) -> tuple[str, ...]:
    """The records that do not point at that instance's endpoint, in words.

    A further record that leads to no generation at all sends nobody to a wrong side: it holds nothing up.
    """
    found = ctx.topology.find(identifier)
    address = found.address.lower() if found is not None and found.address is not None else None
    own, *also = targets(ctx)
    wrong = (own, *(each for each in also if leads_to_a_side(ctx, each[1])))
    return tuple(points(name, target) for name, target in wrong if target != address or not address)


def points(name: str, target: str | None) -> str:
    """In words: where a record points."""
    return f"{name} points at {target or 'nothing'}"


def adrift(ctx: Context) -> tuple[tuple[EndpointSpec, str | None], ...]:
    """Further records of the root that are gone, or lead to none of its instances: somebody moved them by hand."""
    root = ctx.memory.root()
    found = ((record, _target(ctx, record)) for record in (root.also if root is not None else ()))
    return tuple((record, target) for record, target in found if not leads_to_a_side(ctx, target))


def leads_to_a_side(ctx: Context, target: str | None) -> bool:
    """Whether a record's target is an instance of a generation; an endpoint begins with its instance's identifier, so
    that this can be told of one that is gone too.
    """
    root = ctx.memory.root()
    databases = (each.database for each in root.generations.values()) if root is not None else ()
    known = {ctx.rotation.blue, ctx.rotation.green, *(each.identifier for each in databases if each is not None)}
    return target is not None and any(target.startswith(f"{identifier.lower()}.") for identifier in known)


def any_at(ctx: Context, identifier: str) -> bool:
    """Whether one of the records that flip points there: an apply that was cut off may have changed some of them."""
    found = ctx.topology.find(identifier)
    address = found.address.lower() if found is not None and found.address is not None else None
    return address is not None and any(target == address for _, target in targets(ctx))


def targets(ctx: Context) -> tuple[tuple[str, str | None], ...]:
    """Every record that flips, the applications' own first, with where it points now."""
    root = ctx.memory.root()
    also = root.also if root is not None else ()
    own = (ctx.env.config.dns.record, points_at(ctx))
    return (own, *((record.name, _target(ctx, record)) for record in also))


def server(ctx: Context, identifier: str) -> DatabaseServer | None:
    """The database server of an instance; None where the tool may not connect."""
    if ctx.databases is None:
        return None
    found = instance(ctx, identifier)
    if found.address is None or found.port is None:
        raise Blocked(
            f"{identifier} has no endpoint yet (status {found.status}).",
            fix="Wait until RDS has made it available.",
            code="no-endpoint",
        )
    return ctx.databases.at(found.address, found.port)


def ours(ctx: Context, tags: Mapping[str, str]) -> bool:
    """Whether tags say that this very rotation made the thing: by its nonce too, as names are equal in every clone."""
    return all(tags.get(f"rotator:{part}", "") == value for part, value in _marks(ctx))


def made_by(ctx: Context, tags: Mapping[str, str]) -> str:
    """Whose a thing is that is not ours, in words."""
    if tags.get("rotator:env") != ctx.rotation.env or not tags.get("rotator:rotation"):
        return "that this rotation did not make"
    nonce = tags.get("rotator:nonce") or "none"
    return (
        f"that a rotation {tags['rotator:rotation']} made that this journal does not know "
        f"(nonce {nonce}; this rotation's is {ctx.rotation.nonce or 'none'})"
    )


STRANGER = (
    "If another clone of this env made it, its journal is the one to resume with: bring that here (from version "
    "control or the other machine). Else rename or delete the thing."
)
"""What to do about a thing that has our names and is not ours."""


def _marks(ctx: Context) -> tuple[tuple[str, str], ...]:
    return ("rotation", ctx.rotation.id), ("env", ctx.rotation.env), ("nonce", ctx.rotation.nonce)
