"""The records' own TTLs again, once nothing can flip them back."""

from __future__ import annotations

from rotator.domain import root_edits as edits
from rotator.domain.root import EndpointSpec, Stage
from rotator.journal.results_retire import RestoreTtlResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, satisfied
from rotator.rotation.steps.prepare.key import own_ttls
from rotator.rotation.steps.step import Step


class RestoreTtl(Step[RestoreTtlResult]):
    """Put the records' own TTLs back. Until then a rollback takes its clients along within seconds."""

    name = "restore-ttl"
    records = RestoreTtlResult
    title = "Restore the record's TTL"
    rechecked_until = RestoreTtlResult.step
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
        return f"{result.ttl} s again"


def _has_ttl(ctx: Context, record: EndpointSpec) -> bool:
    found = ctx.dns.record(record.zone_id, record.name)
    return found is not None and found.ttl == record.ttl
