"""All that lies under the old key or uses it, in RDS and outside; the later half of retire and preflight look here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from rotator.aws.dependents import Dependents, dependents, same_key
from rotator.aws.uses import LastUse, Use, by_aliases, by_grants, of_log_groups, of_secret
from rotator.config.schema import soak_seconds
from rotator.domain.errors import AwsCredentialsError, AwsError
from rotator.domain.naming import base_identifier
from rotator.journal.results import KeyResult
from rotator.journal.results_retire import DisableKeyResult
from rotator.rotation.steps.context import Context


def old_key(ctx: Context) -> str | None:
    """ARN of the key that blue was under; None when it had none."""
    value = ctx.memory.result(KeyResult).old_key_arn
    return str(value) if value else None


def under_old_key(ctx: Context) -> Dependents:
    """What of RDS lies under the old key."""
    arn = old_key(ctx)
    if arn is None:
        return Dependents((), ())
    return dependents(
        arn,
        snapshots=ctx.rds.snapshots(),
        automated_backups=ctx.rds.automated_backups(),
        instances=ctx.rds.instances(),
        database=ctx.rotation.blue,
        delete_globs=ctx.env.config.retire.delete_snapshots,
        own_snapshots=(ctx.rotation.source_snapshot, ctx.rotation.final_snapshot),
    )


def others_under(ctx: Context, arn: str) -> tuple[Use, ...]:
    """Instances and manual snapshots of other databases that lie under a key."""
    base = base_identifier(ctx.rotation.blue)
    return dependents(
        arn,
        snapshots=[s for s in ctx.rds.snapshots() if base_identifier(s.instance_identifier) != base],
        automated_backups=(),
        instances=[i for i in ctx.rds.instances() if base_identifier(i.identifier) != base],
        database=ctx.rotation.blue,
        delete_globs=(),
        own_snapshots=(),
    ).uses


def instances_under(ctx: Context, arn: str) -> tuple[Use, ...]:
    """Instances that still need a key; another database may share it."""
    return dependents(
        arn,
        snapshots=(),
        automated_backups=(),
        instances=ctx.rds.instances(),
        database=ctx.rotation.blue,
        delete_globs=(),
        own_snapshots=(),
    ).uses


def uses_outside(ctx: Context, arn: str, adopted_alias: str | None) -> tuple[Use, ...]:
    """What uses a key outside of RDS: grants, further aliases, the secret of the tool's login, log groups.

    What cannot be looked at is a use as well: not to know is no reason to delete a key, nor to end a run.
    """
    secret = ctx.env.config.database.credentials.secret_id
    looks: tuple[tuple[str, Callable[[], Iterable[Use]]], ...] = (
        ("its grants", lambda: by_grants(arn, ctx.key_uses.grants(arn), _known_to_rds(ctx))),
        ("its aliases", lambda: by_aliases(arn, ctx.key_uses.aliases(arn), adopted_alias)),
        ("the secret of the tool's login", lambda: _secret(ctx, secret, arn) if secret else ()),
        ("log groups", lambda: of_log_groups(ctx.key_uses.log_groups(arn))),
    )
    return tuple(use for what, look in looks for use in _allowed(what, look))


def disabled_until(ctx: Context, since: datetime) -> datetime:
    """Until when the old key stays disabled before its deletion may be scheduled."""
    return since + timedelta(seconds=soak_seconds(ctx.env.config.disabled_for))


def may_be_scheduled(ctx: Context) -> bool:
    """Whether the old key has been disabled for long enough, by the journal."""
    since = ctx.memory.result(DisableKeyResult).disabled_at
    return since is not None and disabled_until(ctx, datetime.fromisoformat(since)) <= ctx.clock.now()


def last_use(ctx: Context, arn: str) -> LastUse | None:
    """When KMS last saw the key used; None where it does not tell, or is not heard: it is a hint beside the wait."""
    try:
        return ctx.key_uses.last_use(arn)
    except AwsCredentialsError:
        raise
    except AwsError:
        return None


def state_in_words(ctx: Context, kept: str = "") -> str:
    """For `status`: whether the old key is still disabled, and until when; empty before it was, and when it is gone.

    `kept` is why the last retire did not schedule it.
    """
    noted, arn = ctx.memory.result(DisableKeyResult), old_key(ctx)
    key = ctx.kms.key(arn) if arn and noted.key_arn else None
    if key is None:
        return ""
    if key.state == "Enabled":
        return f"{arn} is ENABLED again, by hand: rotator retire {ctx.env.name} says what to do"
    if key.state != "Disabled" or noted.disabled_at is None:
        return f"{arn} {key.state}"
    until = disabled_until(ctx, datetime.fromisoformat(noted.disabled_at)).isoformat("T", "seconds")
    then = f"{kept}. After that retire can schedule it" if kept else f"its deletion can be scheduled from {until} on"
    return f"{arn} disabled since {noted.disabled_at}; {then} (back at once: aws kms enable-key --key-id {arn})"


def listed(uses: Iterable[Use]) -> str:
    """Uses as one line, each with what to do."""
    return "; ".join(str(use) for use in uses)


def _allowed(what: str, look: Callable[[], Iterable[Use]]) -> tuple[Use, ...]:
    try:
        return tuple(look())
    except AwsCredentialsError:
        raise
    except AwsError as fault:
        return (Use(f"perhaps {what}, which could not be looked at: {fault.what}", fault.fix),)


def _known_to_rds(ctx: Context) -> frozenset[str]:
    """DbiResourceIds of which RDS's own lists say whether they need the key: of instances, backups, our snapshots."""
    instances = {found.resource_id for found in ctx.rds.instances()}
    backups = {found.resource_id for found in ctx.rds.automated_backups()}
    ours = (ctx.rotation.source_snapshot, ctx.rotation.final_snapshot, ctx.rotation.final_copy)
    blue = {found.instance_resource_id for name in ours if (found := ctx.topology.snapshot(name)) is not None}
    return frozenset(known for known in instances | backups | blue if known)


def _secret(ctx: Context, secret: str, arn: str) -> tuple[Use, ...]:
    named = ctx.key_uses.key_of_secret(secret)
    if named is None:
        return ()
    key = ctx.kms.key(named) if named.startswith("alias/") or ":alias/" in named else None
    return (of_secret(secret),) if same_key(key.arn if key else named, arn) else ()
