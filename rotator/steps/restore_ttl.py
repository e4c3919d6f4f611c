"""The records' own TTLs again, once nothing can flip them back."""

from __future__ import annotations

from rotator.model import EndpointSpec, Stage
from rotator.results_retire import RestoreTtlResult
from rotator.steps import edits
from rotator.steps.base import Context, Observation, Step, absent, satisfied
from rotator.steps.key import own_ttls


class RestoreTtl(Step[RestoreTtlResult]):
    """Put the records' own TTLs back. Until then a rollback takes its clients along within seconds."""

    name = "restore-ttl"
    records = RestoreTtlResult
    title = "Restore the record's TTL"
    rechecked_until = "restore-ttl"
    estimate_seconds = 40

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when Route 53 and the data have the old TTLs again."""
        after = edits.with_own_ttls(ctx.data, own_ttls(ctx))
        if after == ctx.data and not ctx.midway(self.name) and all(_has_ttl(ctx, each) for each in after.names):
            return satisfied(RestoreTtlResult(ttl=after.endpoint.ttl))
        return absent(f"the TTL is not {after.endpoint.ttl} s yet")

    def act(self, ctx: Context) -> None:
        """Apply the TTLs."""
        ctx.apply(Stage.RESTORE_TTL, edits.with_own_ttls(ctx.data, own_ttls(ctx)))

    def words(self, result: RestoreTtlResult) -> str:
        """One line for people."""
        return f"{result.ttl} s again"


def _has_ttl(ctx: Context, record: EndpointSpec) -> bool:
    found = ctx.dns.record(record.zone_id, record.name)
    return found is not None and found.ttl == record.ttl
