"""Preflight of logins: what clients, or the tool itself, could not do any more on another instance behind a CNAME."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.aws.managed import is_managed
from rotator.config.schema import BUNDLE_URL
from rotator.domain.aws import Deployment
from rotator.domain.database import Finding
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.findings import block, warn


def client_findings(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    """What a CNAME in front of RDS breaks, and what a new instance cannot inherit (AWS RDS User Guide)."""
    if ctx.topology.traits(blue).iam_authentication:
        yield warn(
            "iam-auth",
            "IAM authentication is on.",
            "Tokens are made for the real endpoint, not for the CNAME.",
            "Let clients make tokens for the CNAME's target.",
        )
    if ctx.env.config.database.sslmode == "verify-full":
        yield warn(
            "verify-full",
            "Clients that verify the host name (verify-full) cannot do so through the CNAME.",
            "The RDS certificate names the real endpoint.",
            "The tool itself verifies the endpoints' names, for the probe through the CNAME too.",
        )
    yield from _certificates(ctx, blue)
    yield from _managed_password(ctx, blue)


def _certificates(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    """A bundle that will not verify for much longer; one that does not verify now is told by the connection."""
    if ctx.databases is None or ctx.env.config.sandbox is not None:
        return
    doubts = ctx.databases.doubts(ctx.topology.traits(blue).certificate_authority)
    if doubts:
        yield warn(
            "old-ca-bundle",
            f"The certificates that servers are verified with are doubtful: {'; '.join(doubts)}.",
            "When RDS renews an instance's certificate, the tool could not connect any more.",
            f"Fetch RDS's bundle anew: curl -fsSo PATH {BUNDLE_URL}",
        )


def _managed_password(ctx: Context, blue: Deployment) -> Iterator[Finding]:
    secret, config = ctx.topology.traits(blue).managed_secret, ctx.env.config.database
    if secret is None:
        return
    named = config.credentials.secret_id
    is_master = config.username == blue.master_username or (config.username is None and named is None)
    if config.access == "direct" and is_master and not is_managed(named):
        yield block(
            "managed-login",
            f"The tool logs in as {blue.master_username}, whose password RDS manages, but not by RDS's secret.",
            "Green gets a secret and a password of its own as soon as it is restored: the login would fail there.",
            f'[database.credentials] secret_id = "{secret}": with a secret that RDS manages the tool reads, for each '
            "instance, that instance's own.",
        )
    yield warn(
        "managed-secret",
        f"The master password is managed by RDS, in {secret}.",
        f"Green gets a new secret under another ARN, with another password; {secret} goes with {blue.identifier} when "
        "that is retired. What logs in as the master user fails from the flip until it reads the new secret.",
        "Step green names the new ARN before the flip: allow applications to read it, and point them at it at the "
        "flip; better, let them log in as a user of their own.",
    )
