"""Adopt: import blue's instance, key, alias and record into the root's state, when it does not have them."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.addresses import RECORD, also
from rotator.domain.aws import Deployment, Key
from rotator.domain.errors import Blocked
from rotator.domain.root import DatabaseSpec, Generation, Imports, KeySpec, RootData, Stage
from rotator.journal.results import AdoptResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.observation import Observation, absent, conflict, satisfied
from rotator.rotation.steps.prepare.records import endpoint, with_names
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import blue_instance, blue_record


class Adopt(Step[AdoptResult]):
    """Import what serves now; an import that would change or destroy anything real is refused by the firewall."""

    name = "adopt"
    records = AdoptResult
    title = "Adopt blue into Terraform's state"
    estimate_seconds = 30

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when the state holds the serving database and the record."""
        data = ctx.memory.root()
        addresses = ctx.stages.state_addresses()
        if data is None:
            if addresses and ctx.memory.pending() is None:
                return conflict(
                    "Terraform's state has resources, but the journal knows no generation.",
                    "Restore the journal from version control; do not rotate a state that nobody describes.",
                    tuple(sorted(addresses)),
                )
            return absent("not in the state yet")
        wanted = {
            ctx.topology.address(data.serving),
            RECORD,
            *(also(record.key) for record in data.also),
        }
        if not wanted <= addresses:
            return absent("not in the state yet")
        new = set(ctx.env.config.dns.also) - {record.name for record in data.also}
        if new and not ctx.memory.is_done(self.name) and _lacks_records(ctx, data):
            return absent(f"{', '.join(sorted(new))} not in the state yet")
        return satisfied(replace(ctx.memory.result(AdoptResult), generation=data.serving))

    def act(self, ctx: Context) -> None:
        """Write the data with its imports, apply, then drop the imports from the data."""
        data = more_data(ctx) or first_data(ctx)
        ctx.memory.note(AdoptResult, lambda known: replace(known, imported=True))
        try:
            ctx.stages.apply(Stage.ADOPT, data, data, ctx.memory.stage, ctx.progress)
        except Blocked:
            # Refused before anything was imported: the next run reads rotation.toml and the world anew.
            ctx.memory.unstage()
            raise
        ctx.memory.commit()

    def words(self, result: AdoptResult) -> str:
        if result.imported:
            return f"imported as generation {result.generation}"
        return f"generation {result.generation} is in the state already"


def first_data(ctx: Context) -> RootData:
    """The root's data for generation g0, as the world has it, with the imports that bring it into the state."""
    blue = blue_instance(ctx)
    key = _own_key(ctx, blue)
    name = ctx.rotation.source
    database = DatabaseSpec(
        identifier=blue.identifier,
        settings=ctx.topology.as_adopted(blue),
        kms_key_arn=None if key else blue.kms_key_arn,
        deletion_protection=blue.deletion_protection,
        tags=blue.tags,
    )
    imports = Imports(
        keys={name: key.key_id} if key else {},
        aliases={name: alias} if key and (alias := adopted_alias(key)) else {},
        databases={name: blue.identifier},
    )
    data = RootData(
        generations={name: Generation(adopted_key(ctx, key) if key else None, database)},
        serving=name,
        endpoint=endpoint(blue_record(ctx), blue),
        imports=imports,
    )
    return with_names(ctx, data, blue, whole=True)


def more_data(ctx: Context) -> RootData | None:
    """An adopted root, with what rotation.toml names since then, and with a record that was taken out by hand."""
    root = ctx.memory.root()
    if root is None:
        return None
    return with_names(ctx, root, blue_instance(ctx), whole=RECORD not in ctx.stages.state_addresses())


def _lacks_records(ctx: Context, data: RootData) -> bool:
    """The record's own name in [dns] also means those of other zones, and there need not be any."""
    return bool(with_names(ctx, data, blue_instance(ctx), whole=False).imports.also)


def _own_key(ctx: Context, blue: Deployment) -> Key | None:
    """Blue's key when it is a customer managed one that this root may manage."""
    if not blue.encrypted or blue.kms_key_arn is None or not ctx.env.config.key.adopt:
        return None
    key = ctx.kms.key(blue.kms_key_arn)
    return key if key is not None and will_adopt(ctx, key) else None


def will_adopt(ctx: Context, key: Key) -> bool:
    """Whether this root may manage an existing key: a customer managed one of this account, if the env says so."""
    ours = f":{ctx.identity.caller().account}:" in key.arn
    return ctx.env.config.key.adopt and key.manager == "CUSTOMER" and ours


def adopted_alias(key: Key) -> str | None:
    """The one alias that comes into the state, and goes with the key; the others are their users' (ADR 22)."""
    return key.aliases[0] if key.aliases else None


def adopted_key(ctx: Context, key: Key) -> KeySpec:
    """An existing key as data: its own policy and rotation, our deletion window."""
    return KeySpec(
        alias=adopted_alias(key),
        description=key.description,
        policy=key.policy,
        enable_key_rotation=key.rotation_enabled,
        rotation_period_in_days=key.rotation_period_in_days if key.rotation_enabled else None,
        deletion_window_in_days=ctx.env.config.key.deletion_window_in_days,
        multi_region=key.multi_region,
        tags=key.tags,
    )
