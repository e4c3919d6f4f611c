"""What preflight says of a key before this root adopts it."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.domain.aws import Key
from rotator.domain.database import Finding
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.retire.old_key import listed, others_under


def shared_key(ctx: Context, key: Key) -> Iterator[Finding]:
    """Other databases under the key: this root would own it for them too."""
    others = others_under(ctx, key.arn)
    if others:
        yield Finding(
            "shared-key",
            f"Other databases use blue's key {key.arn} too: {listed(others)}.",
            "Adopting the key makes this root its owner; another env that adopts it as well would own it too.",
            "Let one env alone own it, and set [key] adopt = false in the others. As long as something still uses it, "
            "retire keeps it.",
            blocks=False,
        )
