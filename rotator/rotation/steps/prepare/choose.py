"""Which strategy a rotation takes when rotation.toml says `auto`: replicate where preflight allows it."""

from __future__ import annotations

from rotator.domain.database import Finding
from rotator.domain.errors import Blocked, RotatorError, WaitingForApproval
from rotator.domain.rotation import Strategy
from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.world import blue_instance, server

APPROVAL = Approval.LONG_PAUSE
OWN = "own-leftover"
"""The finding that an earlier rotation's replication is in the way."""


def choose(ctx: Context) -> Strategy:
    """The strategy that rotation.toml names, or for `auto` replicate unless something blocks it.

    What cannot be asked counts as blocking: preflight says then what is wrong, for the simpler strategy.
    """
    if ctx.rotation.strategy is not Strategy.AUTO:
        return ctx.rotation.strategy
    return Strategy.SNAPSHOT if reasons_against(ctx) else Strategy.REPLICATE


def decide(ctx: Context) -> Strategy:
    """As `choose`, when it counts: a long pause is never chosen by the tool alone.

    Raises Blocked when something of the tool's own is in the way: that must go, instead of writers waiting. Raises
    WaitingForApproval when writes would pause for long and nobody has agreed. Without access, the fence's gate asks.
    """
    strategy = choose(ctx)
    if ctx.rotation.strategy is not Strategy.AUTO or strategy is not Strategy.SNAPSHOT or ctx.databases is None:
        return strategy
    # What cannot be looked at is no reason for a pause: the fault itself must be fixed.
    blue_instance(ctx)
    reasons, name = _reasons(ctx), ctx.env.name
    if not reasons:
        return Strategy.REPLICATE
    own = tuple(line for line in reasons if line.startswith(f"{OWN}:"))
    if own:
        raise Blocked(
            f"Replication of an earlier rotation is left on {ctx.rotation.blue}.",
            why="Because of it writes would have to pause for long; it can be removed instead.",
            fix="Do what the lines say, then run it again.",
            details=own,
            code="own-leftover",
        )
    if APPROVAL not in ctx.options.approvals:
        raise WaitingForApproval(
            f"Writes to {ctx.rotation.blue} would pause from its snapshot to the flip: "
            "minutes for a small database, hours for terabytes.",
            why="Strategy replicate, which pauses them for a moment, is not possible here as it is.",
            fix=f"Fix what the lines say, or accept the pause: rotator rotate {name} --approve {APPROVAL} "
            '(or set [rotation] strategy = "snapshot").',
            details=reasons,
            code="long-pause",
        )
    return strategy


def reasons_against(ctx: Context) -> tuple[str, ...]:
    """What keeps this database from strategy replicate, one line each; a fault while looking is one of them."""
    try:
        return _reasons(ctx)
    except RotatorError as fault:
        return (fault.what,)


def _reasons(ctx: Context) -> tuple[str, ...]:
    blue = ctx.topology.find(ctx.rotation.blue)
    if ctx.databases is None:
        return ('database.access is "none"',)
    if blue is None or blue.status != "available" or not ctx.databases.speaks(blue.engine):
        return ("it is made for an available PostgreSQL instance",)
    return tuple(_words(finding) for finding in replicate_findings(ctx) if finding.blocks)


def _words(finding: Finding) -> str:
    fix = f" ({finding.fix})" if finding.code == OWN and finding.fix else ""
    return f"{finding.code}: {finding.what}{fix}"


def replicate_findings(ctx: Context) -> tuple[Finding, ...]:
    """Findings that concern strategy replicate alone."""
    blue = server(ctx, ctx.rotation.blue)
    if blue is None:
        return ()
    config = ctx.env.config
    return blue.preflight_replicate(
        ctx.rotation.identity,
        strengthen=config.rotation.replica_identity_full,
        headroom=config.cutover.sequence_headroom,
    )
