"""What of rotation.toml may not change while a rotation is under way: it names what the rotation works on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from rotator.config.schema import Env, EnvConfig
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import Blocked
from rotator.journal.document import BLUE_GONE, Phase, RotationRecord

FIXED = ("aws.region", "aws.account", "dns.zone", "dns.record", "key.alias")
"""Budgets, approvals and what `retire` deletes may change at any time: messages advise to change them."""


def fixed(config: EnvConfig) -> Mapping[str, str]:
    """'table.key' -> value, of those that are set."""
    found = {name: reduce(getattr, name.split("."), config) for name in FIXED}
    return {name: str(value) for name, value in found.items() if value is not None}


def refuse_changed(env: Env, record: RotationRecord) -> None:
    """Raise Blocked when one of them is another one than when the rotation began."""
    if record.phase in BLUE_GONE or record.phase is Phase.ROLLED_BACK:
        return
    now = fixed(env.config)
    changed = tuple(
        f"[{name.replace('.', '] ')}: {before!r} when the rotation began, {now.get(name)!r} now"
        for name, before in (record.fixed or {}).items()
        if now.get(name) != before
    )
    if changed:
        raise Blocked(
            f"rotation.toml was changed in the middle of rotation {record.rotation.id}: {changed[0]}.",
            why="The rotation works on what it named when it began.",
            fix=f"Put the old value back in {env.path / CONFIG_FILE}, and change it after the rotation.",
            details=changed[1:],
            code="config-changed",
        )
