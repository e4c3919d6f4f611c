"""The new key, and the record's lowered TTL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain import addresses
from rotator.domain import root_edits as edits
from rotator.domain.errors import Blocked
from rotator.domain.root import Imports, KeySpec, RootData, Stage
from rotator.journal.results import CutoverResult, KeyResult, LowerTtlResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, conflict, satisfied
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import STRANGER, made_by, ours


class NewKey(Step[KeyResult]):
    """Create the next generation's customer managed key with its alias."""

    name = "key"
    records = KeyResult
    title = "Create the new key"
    estimate_seconds = 35

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when the alias leads to an enabled key of this rotation that the state holds."""
        alias = ctx.rotation.new_alias
        key = ctx.kms.key(alias)
        if key is None:
            return absent(f"{alias} does not exist")
        if not ours(ctx, key.tags):
            return conflict(
                f"{alias} is taken by key {key.arn} {made_by(ctx, key.tags)}.",
                f"{STRANGER} Or choose another [key] alias in rotation.toml.",
            )
        ctx.refuse_unheard_of(self.name, f"the new key {alias}")
        if key.state != "Enabled":
            return conflict(
                f"The new key {key.arn} is {key.state}.", "Enable it again, or take the rotation back with rollback."
            )
        if addresses.alias(ctx.rotation.target) not in ctx.stages.state_addresses() or ctx.midway(self.name):
            return absent("the state does not hold it yet")
        return satisfied(replace(ctx.memory.result(KeyResult), key_arn=key.arn, alias=alias))

    def act(self, ctx: Context) -> None:
        """Apply the key stage; a key that a killed run left outside the state is imported, not made anew."""
        after = edits.with_generation(ctx.data, ctx.rotation.target, key=new_key(ctx))
        if not self._take_in(ctx, after):
            ctx.apply(Stage.KEY, after)

    def _take_in(self, ctx: Context, after: RootData) -> bool:
        made, name, held = ctx.kms.key(ctx.rotation.new_alias), ctx.rotation.target, ctx.stages.state_addresses()
        if made is None or addresses.alias(name) in held:
            return False
        keys = {} if addresses.key(name) in held else {name: made.key_id}
        ctx.take_in(Stage.KEY, replace(after, imports=Imports(keys=keys, aliases={name: ctx.rotation.new_alias})))
        return True

    def verify(self, ctx: Context, result: KeyResult) -> KeyResult:
        """Prove that it is another key than blue's."""
        blue = ctx.topology.find(ctx.rotation.blue)
        if blue is not None and blue.kms_key_arn == result.key_arn:
            raise Blocked("The new key is blue's own key.", fix="Choose another [key] alias.", code="same-key")
        return replace(result, old_key_arn=blue.kms_key_arn if blue else None)

    def undo(self, ctx: Context) -> str:
        """Schedule the new key for deletion, unless something that is kept still uses it."""
        root = ctx.memory.root()
        if root is None or ctx.rotation.target not in root.generations:
            return ""
        self._take_in(ctx, ctx.data)
        made = ctx.kms.key(ctx.rotation.new_alias)
        arn = made.arn if made is not None else None
        kept = [s.identifier for s in ctx.rds.snapshots() if arn and s.kms_key_arn == arn]
        kept += [i.identifier for i in ctx.rds.instances() if arn and i.kms_key_arn == arn]
        if kept:
            return f"new key kept: still used by {', '.join(kept)}"
        ctx.apply(Stage.ROLLBACK, edits.without_generation(ctx.data, ctx.rotation.target))
        return "new key scheduled for deletion"

    def words(self, result: KeyResult) -> str:
        return f"{result.alias} ({result.key_arn})"


def new_key(ctx: Context) -> KeySpec:
    """The next generation's key as rotation.toml wants it."""
    config = ctx.env.config.key
    return KeySpec(
        alias=ctx.rotation.new_alias,
        description=f"{ctx.rotation.blue} data, generation {ctx.rotation.target}",
        administrators=config.administrators,
        users=config.users,
        rds_callers=config.rds_callers,
        rotation_period_in_days=config.rotation_period_in_days,
        deletion_window_in_days=config.deletion_window_in_days,
        multi_region=config.multi_region,
        tags={**ctx.env.config.tags, **ctx.rotation.tags},
    )


def old_ttl_left(noted: LowerTtlResult, now: datetime) -> float:
    """Seconds for which a resolver may still hold the answer with the old, long TTL; 0 when it was never lowered."""
    if noted.lowered_at is None or noted.ttl_before is None:
        return 0.0
    safe = datetime.fromisoformat(noted.lowered_at) + timedelta(seconds=longest_ttl(noted))
    return max(0.0, (safe - now).total_seconds())


def longest_ttl(noted: LowerTtlResult) -> float:
    """Seconds that the longest of the records' own TTLs has; 0 when none was noted."""
    return float(max([noted.ttl_before or 0, *(noted.own_ttls or {}).values()]))


def own_ttls(ctx: Context) -> Mapping[str, int]:
    """The TTLs that the records had before, by their keys; empty when they were never lowered."""
    noted = ctx.memory.result(LowerTtlResult)
    own = {ctx.data.endpoint.key: noted.ttl_before} if noted.ttl_before is not None else {}
    return {**own, **(noted.own_ttls or {})}


class LowerTtl(Step[LowerTtlResult]):
    """Lower the records' TTLs, so that clients learn of the flip at once. Resolvers forget the long one meanwhile."""

    name = "lower-ttl"
    records = LowerTtlResult
    title = "Lower the record's TTL"
    rechecked_until = CutoverResult.step
    estimate_seconds = 35

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when Route 53 has no TTL that is longer than wanted."""
        wanted = ctx.env.config.dns.rotation_ttl
        record = ctx.dns.record(ctx.data.endpoint.zone_id, ctx.data.endpoint.name)
        noted = ctx.memory.result(LowerTtlResult)
        cut_off = noted.ttl_before is not None and noted.lowered_at is None
        if record is None or record.ttl is None or record.ttl > wanted or ctx.midway(self.name) or cut_off:
            return absent("TTL not lowered yet")
        further = (ctx.dns.record(each.zone_id, each.name) for each in ctx.data.also)
        # One that is gone has none; the flip says what is to be done about it.
        if any(each is not None and (each.ttl is None or each.ttl > wanted) for each in further):
            return absent("not every TTL is lowered yet")
        return satisfied(replace(noted, ttl=record.ttl))

    def act(self, ctx: Context) -> None:
        """Apply the TTL; the journal keeps the old one to put back."""
        noted = ctx.memory.result(LowerTtlResult)
        if noted.ttl_before is None:
            own = {record.key: record.ttl for record in ctx.data.names}
            before = ctx.data.endpoint.ttl
            ctx.memory.note(LowerTtlResult, lambda known: replace(known, ttl_before=before, own_ttls=own))
        ctx.apply(Stage.LOWER_TTL, edits.with_ttl(ctx.data, ctx.env.config.dns.rotation_ttl))
        ctx.memory.note(LowerTtlResult, lambda known: replace(known, lowered_at=ctx.clock.now().isoformat()))

    def verify(self, ctx: Context, result: LowerTtlResult) -> LowerTtlResult:
        """Keep what to put back."""
        before = result.ttl if result.ttl_before is None else result.ttl_before
        return replace(result, ttl_before=before, lowered_at=result.lowered_at or ctx.clock.now().isoformat())

    def undo(self, ctx: Context) -> str:
        """Put the old TTL back."""
        before = ctx.memory.result(LowerTtlResult).ttl_before
        after = edits.with_own_ttls(ctx.data, own_ttls(ctx))
        if after == ctx.data:
            return ""
        ctx.apply(Stage.ROLLBACK, after)
        return f"TTL is {before} s again"

    def words(self, result: LowerTtlResult) -> str:
        return f"{result.ttl_before} s -> {result.ttl} s"
