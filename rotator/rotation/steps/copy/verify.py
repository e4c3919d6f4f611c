"""Validate, strategy replicate: green's contents against blue's while both run; what is in flux waits for the fence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rotator.database import compare
from rotator.database.channel import Channel
from rotator.database.interface import DatabaseServer
from rotator.domain.errors import Blocked
from rotator.domain.progress import Progress
from rotator.journal.results import SeedResult, ValidateResult
from rotator.rotation.steps.channels import check_retained, forward
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.copy.in_flux import Hot, kept, recalled
from rotator.rotation.steps.copy.validate import Validate, fingerprint, refuse
from rotator.rotation.steps.observation import Observation, absent, satisfied
from rotator.rotation.steps.world import server

WATCH_SECONDS = 30.0
FRESH = timedelta(minutes=15)
"""So long a comparison is good for the flip; an older one is made again."""


class VerifyOnline(Validate):
    """Compare schema, extensions, and every table's contents by chunks, under load."""

    title = "Validate green against blue while both run"
    estimate_seconds = 60

    def observe(self, ctx: Context) -> Observation:
        """Satisfied once this run's comparison has been noted."""
        noted = ctx.memory.result(ValidateResult)
        return satisfied(noted) if noted.compared else absent("not compared yet")

    def act(self, ctx: Context) -> None:
        """Compare; raises Blocked with every difference found."""
        compare_online(ctx)

    def warnings(self, result: ValidateResult) -> tuple[str, ...]:
        """Materialized views that stay behind: the tables that they are made of are equal."""
        return stale_views(result)

    def words(self, result: ValidateResult) -> str:
        unsettled = len(result.hot or ())
        flux = f"; {unsettled} chunks in flux are compared again inside the fence" if unsettled else ""
        return f"{result.tables} tables, {result.rows or 0:,} rows, schema and extensions are equal{flux}"


def stale_views(result: ValidateResult) -> tuple[str, ...]:
    """In words, with what to do."""
    stale = ", ".join(result.stale or ())
    if not stale:
        return ()
    return (
        f"Materialized views on green are as of the snapshot, because they could not be refreshed: {stale}."
        " Refresh them after the flip as the application does (REFRESH MATERIALIZED VIEW, with its search_path).",
    )


def compare_online(ctx: Context) -> None:
    """Compare and note; raises Blocked with every difference found, and the DDL that was recorded."""
    channel = forward(ctx)
    check_retained(ctx, channel)
    blue, green = server(ctx, ctx.rotation.blue), server(ctx, ctx.rotation.green)
    if blue is None or green is None:
        raise Blocked("Validation needs a connection.", fix='Set [database] access = "direct".', code="no-access")
    imprint = _shut(ctx, channel, green)
    version, ddl, schema = green.ping(), channel.ddl(), blue.schema()
    refuse("schema", compare.compare_schema(schema, green.schema()), ddl)
    refuse("extensions", compare.compare_extensions(blue.extensions(), green.extensions()), ddl)
    found = channel.verify(_watching(ctx, channel))
    refuse("contents", found.differences, by_key=found.by_key)
    unsettled, digest = kept(ctx, "hot", found.unsettled)
    result = ValidateResult(
        compared=True,
        compared_at=ctx.clock.now().isoformat(),
        version=version,
        tables=len(found.digests),
        rows=found.rows,
        digests={name: dict(each) for name, each in found.digests.items()},
        hot=unsettled,
        hot_digest=digest,
        refreshed=tuple(found.refreshed),
        stale=tuple(found.stale),
        ddl=tuple(ddl),
        schema=fingerprint(schema),
        encryption=str(green.encryption()),
        imprint=imprint,
    )
    ctx.memory.note(ValidateResult, lambda _: result)


def _shut(ctx: Context, channel: Channel, green: DatabaseServer) -> Mapping[str, Any]:
    """Green's imprint before anything of it is read: nobody has written past its fence since, or it is shut anew.

    What has been written by then is found by the comparison. Until green is opened the imprint must stay the same.
    """
    before = ctx.memory.result(ValidateResult).imprint or ctx.memory.result(SeedResult).imprint
    if before and green.fence_state().on and not channel.touched(before):
        return dict(before)
    channel.shut(ctx.env.config.rotation.fence_budget)
    return channel.imprint()


def _watching(ctx: Context, channel: Channel) -> Progress:
    """Progress that now and then looks at the log which blue keeps meanwhile. Raises what
    `check_retained` raises.
    """
    last = ctx.clock.monotonic()

    def progress(fraction: float | None, text: str) -> None:
        nonlocal last
        ctx.progress(fraction, text)
        if ctx.clock.monotonic() - last > WATCH_SECONDS:
            last = ctx.clock.monotonic()
            check_retained(ctx, channel)

    return progress


def shrink(ctx: Context, channel: Channel) -> tuple[Mapping[str, Any], ...]:
    """What is still in flux, looked at again so that little is left for the fence. Raises Blocked for differences."""
    unsettled = _in_flux(ctx)
    if unsettled is None:
        raise Blocked(
            "What was in flux when blue and green were compared is not known any more.",
            why="Its ranges lay on this machine alone, and were removed since.",
            fix=f"Run it again: rotator rotate {ctx.env.name} compares everything first.",
            code="ranges-lost",
        )
    if not unsettled:
        return ()
    found = channel.verify_again(unsettled, ctx.progress)
    refuse("contents", found.differences, by_key=found.by_key)
    return found.unsettled


def _in_flux(ctx: Context) -> Hot | None:
    noted = ctx.memory.result(ValidateResult)
    return recalled(ctx, "hot", noted.hot, noted.hot_digest)


def is_fresh(ctx: Context) -> bool:
    """Whether the noted comparison is young enough to flip on, and what was in flux in it is known."""
    noted = ctx.memory.result(ValidateResult)
    at = noted.compared_at
    if _in_flux(ctx) is None:
        return False
    return at is not None and bool(noted.imprint) and ctx.clock.now() - datetime.fromisoformat(at) < FRESH
