"""Which strategy a rotation takes when rotation.toml says `auto`: replicate where preflight allows it."""

from __future__ import annotations

from rotator.errors import RotatorError
from rotator.model import Finding, Strategy
from rotator.steps.base import Context
from rotator.steps.world import server


def choose(ctx: Context) -> Strategy:
    """The strategy that rotation.toml names, or for `auto` replicate unless something blocks it.

    What cannot be asked counts as blocking: preflight says then what is wrong, for the simpler strategy.
    """
    if ctx.rotation.strategy is not Strategy.AUTO:
        return ctx.rotation.strategy
    return Strategy.SNAPSHOT if reasons_against(ctx) else Strategy.REPLICATE


def reasons_against(ctx: Context) -> tuple[str, ...]:
    """What keeps this database from strategy replicate, one line each."""
    try:
        blue = ctx.rds.instance(ctx.rotation.blue)
        if ctx.databases is None:
            return ('database.access is "none"',)
        if blue is None or blue.status != "available" or not blue.engine.startswith("postgres"):
            return ("it is made for an available PostgreSQL instance",)
        found = replicate_findings(ctx)
    except RotatorError as fault:
        return (fault.what,)
    return tuple(f"{finding.code}: {finding.what}" for finding in found if finding.blocks)


def replicate_findings(ctx: Context) -> tuple[Finding, ...]:
    """Findings that concern strategy replicate alone."""
    blue = server(ctx, ctx.rotation.blue)
    if blue is None:
        return ()
    return blue.preflight_replicate(ctx.rotation.identity, allow_full=ctx.env.config.rotation.replica_identity_full)
