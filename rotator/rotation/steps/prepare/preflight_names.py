"""Preflight of names: is it the record that the applications see, and does anything else lead to blue."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.domain.addresses import RECORD
from rotator.domain.aws import Deployment, Record
from rotator.domain.database import Finding
from rotator.domain.errors import AwsCredentialsError, AwsError, Blocked, DatabaseUnreachable
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.following import unseen
from rotator.rotation.steps.prepare import records
from rotator.rotation.steps.world import adrift, blue_record, elsewhere, points


def name_findings(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    """The record itself first: what is wrong with it makes the rest meaningless."""
    try:
        record = blue_record(ctx)
    except Blocked as fault:
        yield Finding(fault.code, fault.what, fault.why, fault.fix, blocks=True)
        return
    wrong = tuple(_record(ctx, record, blue))
    yield from wrong
    if not wrong:
        yield from _holders(ctx, record)
        yield from _others(ctx, record, blue)
        yield from _resolver(ctx, blue)


def _record(ctx: Context, record: Record, blue: Deployment) -> Iterator[Finding]:
    root = ctx.memory.root()
    if root is not None and records.key(record) != root.endpoint.key and RECORD in ctx.stages.state_addresses():
        yield Finding(
            "another-record",
            f"rotation.toml means {records.words(record)}; the root holds {root.endpoint.name} in zone "
            f"{root.endpoint.zone_id}.",
            "The root's would be flipped, and the other one looked at.",
            "Put the old values back in [dns]; or, to hand the root the other record: terraform state rm "
            f"{RECORD} in {ctx.env.path} (that changes nothing in AWS), and run this again.",
            blocks=True,
        )
        return
    if record.values[0].lower() != (blue.address or "").lower():
        yield Finding(
            "record-elsewhere",
            f"{record.name} points at {record.values[0]}, not at {blue.identifier} ({blue.address}).",
            "Either the wrong instance is named, or applications do not use this name.",
            "Correct [database] identifier or [dns] record in rotation.toml, or the record itself.",
            blocks=True,
        )
    elif further := tuple(_further(ctx, blue)):
        yield Finding(
            "record-elsewhere",
            f"{', '.join(further)}, not at {blue.identifier}.",
            "It is one of the records that flip with the applications' own ([dns] also).",
            "Put it back on blue, or take it out of [dns] also: then the root lets go of it.",
            blocks=True,
        )
    if record.ttl not in records.TTLS:
        yield Finding(
            "record-ttl",
            f"{record.name} has a TTL of {record.ttl} s.",
            "A root can hold 1 to 86400 s; with any other the flip would fail, or wait for days.",
            "Give the record another TTL, wait until the old one has passed, and run this again.",
            blocks=True,
        )


def _further(ctx: Context, blue: Deployment) -> Iterator[str]:
    """Records of the root that must flip with the applications' own and are not at blue, in words."""
    root = ctx.memory.root()
    if root is not None and root.also:
        yield from elsewhere(ctx, blue.identifier)
        yield from (points(each.name, target) for each, target in adrift(ctx))


def _holders(ctx: Context, record: Record) -> Iterator[Finding]:
    """Split horizon: the same name in another zone, or in one that is more or less specific."""
    dns, root = ctx.env.config.dns, ctx.memory.root()
    try:
        found = ctx.dns.holders(record.name)
    except AwsCredentialsError:
        raise
    except AwsError as fault:
        if fault.code != "aws-access-denied":  # that is told with the other records
            what = f"Whether another zone holds {record.name} too could not be looked at: {fault.what}"
            yield _unlisted(what, fault.fix)
        return
    flipped = {each.key for each in root.names} if root is not None else set()
    for other in found:
        chosen = dns.zone_id is not None or (dns.zone_is_chosen and other.private is not dns.private_zone)
        both = other.name in dns.also and other.is_plain_cname
        if records.key(other) in {records.key(record), *flipped} or chosen or both:
            continue
        yield Finding(
            "split-horizon",
            f"Another zone holds {record.name} too: {other.zone_id} ({_kind(other)}), as {other.kind} "
            f"{', '.join(other.values)}.",
            f"Which one the applications see depends on where they ask from; the one in zone {record.zone_id} would be "
            "flipped. If that is the wrong one, they go on to blue, which is fenced then.",
            f'Look up what the applications see, then choose in rotation.toml: [dns] zone_id = "{record.zone_id}" or '
            f'"{other.zone_id}".',
            blocks=True,
        )


def _unlisted(what: str, fix: str, *, blocks: bool = False) -> Finding:
    return Finding(
        "zones-not-listed",
        what,
        "Other records that lead to blue would end on a fenced instance, and nobody here can see them.",
        f"{fix} Or make sure by hand that there are none (route53:ListHostedZones, ListResourceRecordSets).",
        blocks=blocks,
    )


def _kind(record: Record) -> str:
    return "private" if record.private else "public"


def _others(ctx: Context, record: Record, blue: Deployment) -> Iterator[Finding]:
    dns, root = ctx.env.config.dns, ctx.memory.root()
    found = records.at(ctx.dns, blue)
    if isinstance(found, records.NotListed):
        what = f"The account's hosted zones could not be looked through: {found.what}"
        yield _unlisted(what, found.fix, blocks=bool(dns.also))
        return
    known = {records.key(record), *(each.key for each in (root.names if root is not None else ()))}
    others = tuple(each for each in found if records.key(each) not in known)
    taken = {each.name for each in root.also} if root is not None else set()
    if record.name in dns.also and record.name not in {*taken, *(each.name for each in others)}:
        yield Finding(
            "also-itself",
            f"[dns] also names {record.name}, and in no other zone does that lead to {blue.identifier}.",
            "The applications' own record flips anyway; its name in [dns] also means records of that name elsewhere.",
            "Take it out of [dns] also, or correct the record that is meant.",
            blocks=False,
        )
    missing = sorted(set(dns.also) - {each.name for each in found} - taken)
    if missing:
        yield Finding(
            "also-elsewhere",
            f"{', '.join(missing)} ([dns] also) does not point at {blue.identifier} ({blue.address}) in any zone.",
            f"Only a record whose value is blue's endpoint flips. One that leads to {record.name} follows by itself.",
            "Correct [dns] also in rotation.toml, or the record.",
            blocks=True,
        )
    rigid = tuple(each for each in others if each.name in dns.also and not records.can_flip(each))
    if rigid:
        yield Finding(
            "also-not-plain",
            f"It cannot flip: {_list(rigid)} ([dns] also).",
            "A flip replaces the value of a simple CNAME without health check and with a TTL from 1 to 86400 s.",
            f"Make it one, or a CNAME to {record.name}; or move it by hand: [dns] leave.",
            blocks=True,
        )
    yield from _undecided(ctx, tuple(each for each in others if each.name not in dns.also), record)


def _undecided(ctx: Context, others: tuple[Record, ...], record: Record) -> Iterator[Finding]:
    """Names that would stay on blue: those that lead clients there need a decision."""
    leading = tuple(
        each for each in others if each.kind in records.LEADING and each.name not in ctx.env.config.dns.leave
    )
    rest = tuple(each for each in others if each not in leading)
    if leading:
        names = ", ".join(f'"{name}"' for name in dict.fromkeys(each.name for each in leading))
        yield Finding(
            "other-records",
            f"Other records lead to blue: {_list(leading)}.",
            "They would stay there: whoever uses them cannot write after the flip, and finds nothing after retire.",
            f"In rotation.toml, [dns] also = [{names}] flips them together with {record.name}; [dns] leave names those "
            "that may stay.",
            blocks=True,
        )
    if rest:
        yield Finding(
            "other-records",
            f"Other records name blue and stay as they are: {_list(rest)}.",
            "After the flip blue is fenced, after retire it is gone.",
            "Move them by hand before retire.",
            blocks=False,
        )


def _list(found: tuple[Record, ...]) -> str:
    return ", ".join(records.words(each) for each in found)


def _resolver(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    """What the applications see must be this record, or they would not follow the flip."""
    dns, wanted = ctx.env.config.dns, (blue.address or "").lower()
    if unseen(ctx):
        yield Finding(
            "resolver-unseen",
            'The applications\' resolver is not asked ([dns] resolver = "none").',
            "Whether they see this record, and follow the flip, is not checked.",
            f"Look yourself, from where they run, that {dns.record} is {wanted}.",
            blocks=False,
        )
        return
    try:
        answer = ctx.resolver.answer(dns.record)
    except DatabaseUnreachable as fault:
        yield Finding(
            "resolver-silent",
            fault.what,
            "Whether the applications follow the flip could not be told.",
            'Correct [dns] resolver in rotation.toml; "none" says that it cannot be asked from here.',
            blocks=True,
        )
        return
    if answer is None or answer.target != wanted:
        seen = answer.target if answer is not None else "not known"
        where = dns.resolver or "the system's resolver"
        yield Finding(
            "resolver-elsewhere",
            f"For {where}, {dns.record} is {seen}, not {wanted}.",
            "Route 53 has blue there: this resolver sees another zone, and its users would not follow the flip.",
            "Correct [dns] zone, zone_id or private_zone, or [dns] resolver, so that it is what the applications see; "
            'resolver = "none" says that theirs cannot be asked from here.',
            blocks=True,
        )
