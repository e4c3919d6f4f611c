"""All corrections of moto in the local AWS; each patch has a test that fails without it.

The order matters: a later patch wraps an earlier one. So stored fields come first, then statuses, servers, and
outermost the patches that refuse a request before it changes anything.
"""

from rotator.sandbox.aws.patches import (
    account,
    backups,
    groups,
    identity,
    keys,
    kms,
    logs,
    objects,
    pending,
    progress,
    restore,
    route53,
    servers,
    settings,
    states,
    statuses,
)
from rotator.sandbox.aws.patches.core import Context, Patch, installed

PATCHES: tuple[Patch, ...] = (
    *identity.PATCHES,
    *settings.PATCHES,
    *groups.PATCHES,
    *restore.PATCHES,
    *kms.PATCHES,
    *keys.PATCHES,
    *route53.PATCHES,
    *statuses.PATCHES,
    *progress.PATCHES,
    *servers.PATCHES,
    *backups.PATCHES,
    *pending.PATCHES,
    *account.PATCHES,
    *logs.PATCHES,
    *objects.PATCHES,
    *states.PATCHES,
)

__all__ = ["PATCHES", "Context", "Patch", "installed"]
