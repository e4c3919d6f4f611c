"""Preflight: everything that can be known to go wrong is said before anything is made, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rotator.domain.aws import Deployment, Key
from rotator.domain.database import Finding
from rotator.domain.errors import AwsCredentialsError, AwsError, Blocked
from rotator.domain.rotation import Strategy
from rotator.journal.results import AdoptResult, PreflightResult
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.findings import block, warn
from rotator.rotation.steps.observation import Observation, satisfied
from rotator.rotation.steps.prepare.adopt import adopted_alias, will_adopt
from rotator.rotation.steps.prepare.adopt_findings import shared_key
from rotator.rotation.steps.prepare.choose import reasons_against, replicate_findings
from rotator.rotation.steps.prepare.preflight_clients import client_findings
from rotator.rotation.steps.prepare.preflight_instance import instance_findings
from rotator.rotation.steps.prepare.preflight_names import name_findings
from rotator.rotation.steps.retire.old_key import uses_outside
from rotator.rotation.steps.step import Step
from rotator.rotation.steps.world import STRANGER, blue_instance, made_by, ours, server


class Preflight(Step[PreflightResult]):
    """Credentials, Terraform, blue, its key, names, the record, quotas, and the database's own findings."""

    name = "preflight"
    records = PreflightResult
    title = "Check that the rotation can work"
    rechecked_until = AdoptResult.step
    estimate_seconds = 5

    def observe(self, ctx: Context) -> Observation:
        """Satisfied when nothing blocks; raises Blocked with every blocking finding."""
        caller = ctx.identity.caller()
        version = ctx.stages.version()
        blue = blue_instance(ctx)
        findings = tuple(_findings(ctx, blue))
        blocking = tuple(f for f in findings if f.blocks)
        if blocking:
            raise _refusal(blocking)
        result = PreflightResult(
            account=caller.account,
            terraform=version,
            engine=f"{blue.engine} {blue.engine_version}",
            strategy=str(ctx.rotation.strategy),
            old_key_arn=blue.kms_key_arn,
            encryption=_encryption(ctx, blue),
            warnings=tuple(_sentences(finding) for finding in findings),
        )
        return satisfied(result)

    def words(self, result: PreflightResult) -> str:
        count = len(result.warnings or ())
        warned = f", {count} warning{'s' if count > 1 else ''}" if count else ""
        sessions = f", sessions: {result.encryption}" if result.encryption else ""
        about = (str(result.engine), f"account {result.account}", f"Terraform {result.terraform}")
        return f"{', '.join(about)}, strategy {result.strategy}{warned}{sessions}"

    def warnings(self, result: PreflightResult) -> tuple[str, ...]:
        """The findings that do not block: before anything is made there is still time to fix them."""
        return result.warnings or ()


def _encryption(ctx: Context, blue: Deployment) -> str:
    """How the tool's own sessions with blue are protected; empty where it has none."""
    database = server(ctx, blue.identifier) if blue.status == "available" else None
    return str(database.encryption()) if database is not None else ""


def _sentences(finding: Finding) -> str:
    parts = (part.strip().rstrip(".") for part in (finding.what, finding.why, finding.fix))
    return ". ".join(part[:1].upper() + part[1:] for part in parts if part) + "."


def _refusal(blocking: tuple[Finding, ...]) -> Blocked:
    """One finding is told as the error itself; several are listed, each with what to do."""
    if len(blocking) == 1:
        found = blocking[0]
        return Blocked(found.what, why=f"{found.why} Nothing has been changed.", fix=found.fix, code=found.code)
    return Blocked(
        f"Preflight found {len(blocking)} reasons not to start.",
        why="Nothing has been changed.",
        fix="Fix these and run it again.",
        details=tuple(f"{f.code}: {f.what} {f.why} -> {f.fix}" for f in blocking),
        code="preflight",
    )


def _findings(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    yield from _account(ctx)
    yield from _root(ctx)
    yield from instance_findings(ctx, blue)
    yield from _key(ctx, blue)
    yield from _names(ctx)
    yield from name_findings(ctx, blue)
    yield from _quotas(ctx)
    yield from client_findings(ctx, blue)
    if ctx.databases is not None and not ctx.databases.speaks(blue.engine):
        yield block(
            "engine",
            f"The tool cannot connect to {blue.engine} yet.",
            "Fence and validation inside the database are built for PostgreSQL.",
            'Set [database] access = "none": you stop the writers at a gate, and SQL steps are skipped.',
        )
    elif blue.status == "available":
        database = server(ctx, blue.identifier)
        if database is not None:
            database.ping()
            yield from (_accepted(ctx, found) for found in database.preflight())
            if ctx.rotation.strategy is Strategy.REPLICATE:
                yield from replicate_findings(ctx)
            elif ctx.env.config.rotation.strategy == "auto":
                yield from _why_snapshot(ctx)


def _why_snapshot(ctx: Context) -> Iterator[Finding]:
    reasons = reasons_against(ctx)
    if reasons:
        yield warn(
            "strategy-snapshot",
            "Strategy snapshot was chosen: writes pause from the snapshot to the flip.",
            f"Strategy replicate is not possible here: {'; '.join(reasons)}.",
            "Fix that before the rotation, and writes will pause for a moment only.",
        )


def _account(ctx: Context) -> Iterator[Finding]:
    wanted, caller = ctx.env.config.aws.account, ctx.identity.caller()
    if wanted is not None and caller.account != wanted:
        yield block(
            "wrong-account",
            f"These credentials belong to account {caller.account}, not {wanted}.",
            f"They are {caller.arn}.",
            "Use the right profile, or correct [aws] account in rotation.toml.",
        )


def _root(ctx: Context) -> Iterator[Finding]:
    """A root of an older rotator drops what its variables do not know, and its plans surprise everybody."""
    differing = ctx.stages.differing()
    if differing:
        yield block(
            "render-differs",
            f"The root {ctx.env.path} is not the one that this rotator renders: {', '.join(differing)}.",
            "It was rendered by another version, or changed by hand; it may not take what a rotation changes.",
            f"rotator render {ctx.env.name}, look at the difference, commit it.",
        )


def _accepted(ctx: Context, found: Finding) -> Finding:
    """A finding of the database as it counts here."""
    accepted = found.code == "pending-restart" and ctx.topology.in_force_field in ctx.env.config.rotation.parity_ignore
    return replace(found, blocks=False) if accepted else found


def _key(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    if not blue.encrypted or blue.kms_key_arn is None:
        yield warn("unencrypted", f"{blue.identifier} is not encrypted.", "There is no old key to retire.", "")
        return
    key = ctx.kms.key(blue.kms_key_arn)
    if key is None or key.state != "Enabled":
        state = key.state if key else "not readable"
        yield block(
            "old-key-unusable",
            f"Blue's key {blue.kms_key_arn} is {state}.",
            "RDS must decrypt the snapshot with it (kms:CreateGrant, kms:DescribeKey).",
            "Enable the key, or let its policy allow you.",
        )
    elif will_adopt(ctx, key):
        yield from _other_uses(ctx, key)
        if ctx.memory.root() is None:
            yield from shared_key(ctx, key)


def _other_uses(ctx: Context, key: Key) -> Iterator[Finding]:
    root = ctx.memory.root()
    held = root.generations[ctx.rotation.source].key if root and ctx.rotation.source in root.generations else None
    uses = uses_outside(ctx, key.arn, held.alias if held else adopted_alias(key))
    if uses:
        yield warn(
            "old-key-used-elsewhere",
            f"Blue's key is used outside of RDS too: {'; '.join(use.what for use in uses)}.",
            "A rotation moves this database alone; while they use the key, retire neither disables nor deletes it.",
            f"Before retire: {'; '.join(use.fix for use in uses)}.",
        )


def _names(ctx: Context) -> Iterator[Finding]:
    names = ctx.rotation
    green = ctx.topology.find(names.green)
    if green is not None and not ours(ctx, green.tags):
        yield _taken("green-taken", f"An instance {names.green} exists {made_by(ctx, green.tags)}")
    for identifier in (names.source_snapshot, names.copy_snapshot, names.final_snapshot, names.final_copy):
        snapshot = ctx.topology.snapshot(identifier)
        if snapshot is not None and not ours(ctx, snapshot.tags):
            yield _taken("snapshot-taken", f"A snapshot {identifier} exists {made_by(ctx, snapshot.tags)}")
    key = ctx.kms.key(names.new_alias)
    if key is not None and not ours(ctx, key.tags):
        yield _taken("alias-taken", f"A key alias {names.new_alias} exists {made_by(ctx, key.tags)}")


def _taken(code: str, what: str) -> Finding:
    return block(
        code,
        f"{what}.",
        "Its name is one that this rotation needs; adopting a resource of another owner could lose data.",
        f"{STRANGER} For the key, [key] alias in rotation.toml can be changed instead.",
    )


def _quotas(ctx: Context) -> Iterator[Finding]:
    try:
        found = ctx.topology.needs()
    except AwsCredentialsError:
        raise
    except AwsError as fault:
        yield warn("quota", "RDS quotas could not be looked at.", fault.what, f"{fault.fix} Or look by hand.")
        return
    for need in found:
        quota = need.quota
        if not need.fits:
            yield block(
                "quota",
                f"RDS quota {quota.name}: {quota.used} of {quota.maximum} are used, {need.needed} more are needed.",
                "Green or its snapshots could not be made.",
                "Ask for a higher quota (Service Quotas, Amazon RDS) or remove what is not needed.",
            )
