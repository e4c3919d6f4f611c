"""The records of all of the account's zones that name blue, and those of them that flip with the applications' own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rotator.aws.interface import Dns
from rotator.domain.aws import Deployment, Record
from rotator.domain.errors import AwsCredentialsError, AwsError
from rotator.domain.root import EndpointSpec, Imports, RootData
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import blue_record

TTLS = range(1, 86401)
"""TTLs that a root may have, in seconds. Terraform's provider does not send a TTL of 0."""

LEADING = ("CNAME", "SRV")
"""Types by which clients find a host: with these, a name leads to the instance."""


@dataclass(frozen=True)
class NotListed:
    """The account's zones could not be looked through: what AWS said."""

    what: str
    fix: str


def at(dns: Dns, blue: Deployment) -> tuple[Record, ...] | NotListed:
    """The record sets that name blue's endpoint. A look at every zone of the account: minutes in a big one."""
    if blue.address is None:
        return ()
    try:
        return dns.records_at(blue.address)
    except AwsCredentialsError:
        raise
    except AwsError as fault:
        return NotListed(fault.what, fault.fix)


def key(record: Record) -> str:
    """As EndpointSpec.key."""
    return f"{record.zone_id}/{record.name}"


def words(record: Record) -> str:
    """For people: which record it is."""
    kind = "alias" if record.alias else record.kind
    return f"{record.name} ({' '.join(filter(None, (record.routing_policy, kind)))} in zone {record.zone_id})"


def can_flip(record: Record) -> bool:
    """Whether a root can hold it, and change nothing but its value."""
    return record.is_plain_cname and record.health_check is None and record.ttl in TTLS


def endpoint(record: Record, blue: Deployment) -> EndpointSpec:
    """A record as data. What it points to is blue's name, in the record's own spelling."""
    written = record.written[0] if record.written else None
    return EndpointSpec(record.zone_id, record.name, record.ttl or 60, None if written == blue.address else written)


def with_names(ctx: Context, data: RootData, blue: Deployment, *, whole: bool) -> RootData:
    """Add what rotation.toml names in [dns] also, with its imports; with `whole`, the applications' own record too."""
    data, imports = replace(data, imports=Imports()), data.imports
    if whole:
        record = blue_record(ctx)
        data = replace(data, endpoint=endpoint(record, blue))
        imports = replace(imports, record=_import_id(data.endpoint))
    wanted = set(ctx.env.config.dns.also)
    known = {each.key for each in data.names}
    # Not `at`: one that could not be seen now would stay on blue, so this ends the run.
    found = ctx.dns.records_at(blue.address) if wanted and blue.address else ()
    new = tuple(endpoint(each, blue) for each in found if each.name in wanted and key(each) not in known)
    imports = replace(imports, also={each.key: _import_id(each) for each in new})
    return replace(data, also=(*data.also, *new), imports=imports)


def _import_id(record: EndpointSpec) -> str:
    return f"{record.zone_id}_{record.name}_CNAME"
