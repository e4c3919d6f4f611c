"""Whether the applications' resolver follows: the lowered TTL is served before the fence, and green after the flip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.domain.errors import Blocked, DatabaseUnreachable
from rotator.domain.root import EndpointSpec
from rotator.journal.results import LowerTtlResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, in_progress
from rotator.rotation.steps.prepare.key import longest_ttl, old_ttl_left
from rotator.rotation.steps.world import instance

PATIENCE_SECONDS = 60.0
"""How long after the old TTL's end the resolver may still hold an old answer: the change has to reach all servers."""


@dataclass(frozen=True)
class Behind:
    """What the resolver says instead of green, in words. `answered`: it did answer, so it is not just silent."""

    words: tuple[str, ...]
    answered: bool


def unseen(ctx: Context) -> bool:
    """Whether the applications' resolver cannot be asked from here, by rotation.toml's word."""
    return ctx.env.config.dns.resolver == "none"


def before_fence(ctx: Context) -> Observation | None:
    """In progress until resolvers have forgotten the old TTL, and the applications' own serves the lowered one.

    None once that has been seen, twice: a cache that keeps answers longer than it is told shows a short rest of a long
    time once, and then a long time again. Raises Blocked at the deadline; writes go on all the while.
    """
    noted, now = ctx.memory.result(LowerTtlResult), ctx.clock.now()
    left = old_ttl_left(noted, now)
    if left > 0:
        text = f"resolvers may hold the old TTL for {left:.0f} s more (writes go on)"
        return in_progress(text, 1 - left / max(longest_ttl(noted), left))
    if unseen(ctx):
        return None
    wrong = _not_lowered(ctx) or _not_lowered_again(ctx)
    if not wrong:
        return None
    lowered = noted.lowered_at
    if lowered and now < datetime.fromisoformat(lowered) + timedelta(seconds=longest_ttl(noted) + PATIENCE_SECONDS):
        return in_progress(f"waiting for the resolver to serve the lowered TTL: {wrong} (writes go on)")
    raise Blocked(
        f"The resolver asked from here does not follow the record: {wrong}.",
        why="Its users would go on writing to blue after the flip, and be refused there. Nothing is fenced.",
        fix="Is it the zone that the applications see ([dns] zone_id), and their resolver ([dns] resolver)? Fix that, "
        f"then run rotate again; or give up: rotator rollback {ctx.env.name}",
        code="resolver-not-following",
    )


def _not_lowered_again(ctx: Context) -> str:
    ctx.progress(None, "looking whether the resolver asks again when the lowered TTL is over (writes go on)")
    ctx.clock.wait(max(record.ttl for record in ctx.data.names) + 1)
    return _not_lowered(ctx)


def _not_lowered(ctx: Context) -> str:
    """The first name that is not served as it must be, in words; empty when all are."""
    wanted = (instance(ctx, ctx.rotation.blue).address or "").lower()
    for record in ctx.data.names:
        try:
            answer = ctx.resolver.answer(record.name)
        except DatabaseUnreachable as fault:
            return fault.what
        if answer is None:
            if record == ctx.data.endpoint:
                return f"{record.name} does not exist there"
        elif answer.target != wanted:
            return f"{record.name} is {answer.target}, not {wanted}"
        elif answer.ttl > record.ttl:
            return f"{record.name} may be kept for {answer.ttl} s, not {record.ttl}"
    return ""


def behind(ctx: Context, target: str) -> Behind | None:
    """After the flip: wait for the resolver to lead every name to `target`; None once it does, or cannot be asked."""
    if unseen(ctx):
        return None
    longest = ctx.env.config.cutover.follow + max(record.ttl for record in ctx.data.names)
    deadline = ctx.clock.monotonic() + longest
    while True:
        found = tuple(_elsewhere(ctx, target))
        if not found:
            return None
        if ctx.clock.monotonic() > deadline:
            return Behind(tuple(words for words, _ in found), any(answered for _, answered in found))
        ctx.progress(None, found[0][0])
        ctx.clock.wait(min(1.0, ctx.env.config.rotation.poll_seconds))


def _elsewhere(ctx: Context, target: str) -> Iterator[tuple[str, bool]]:
    for record in ctx.data.names:
        try:
            answer = ctx.resolver.answer(record.name)
        except DatabaseUnreachable as fault:
            yield fault.what, False
            continue
        if answer is None and record != ctx.data.endpoint:
            continue  # a name in a zone that is not seen from here
        if answer is None or answer.target != target:
            seen = answer.target if answer is not None else "nothing"
            yield f"{record.name} still resolves to {seen}, not to {target}", True


def names_of(records: tuple[EndpointSpec, ...]) -> str:
    """Names for people, each once."""
    return ", ".join(dict.fromkeys(record.name for record in records))
