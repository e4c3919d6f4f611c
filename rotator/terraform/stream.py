"""One line of `terraform apply -json` -> ApplyEvent, for the lines worth showing. Pure.

Only for progress: the stream calls forget and delete both "remove", so nothing is ever decided from it
(the policy reads the saved plan).
"""

from __future__ import annotations

from rotator.terraform.diagnostics import parse_line
from rotator.terraform.interface import ApplyEvent

STARTED = "apply_start"
LOCKING = "state_lock_acquire"
_HOOKS = frozenset({STARTED, "apply_progress", "apply_complete", "apply_errored"})


def event(line: str) -> ApplyEvent | None:
    """The event in a line; None for versions, outputs, provisioner output and anything that is no JSON.

    Provisioner output is left out because a provisioner can print anything.
    """
    message = parse_line(line)
    if message is None:
        return None
    kind = str(message.get("type", ""))
    if kind == LOCKING:
        return ApplyEvent(kind, "", "", 0, "waiting for the state lock")
    if kind not in _HOOKS:
        return None
    hook = message.get("hook", {})
    return ApplyEvent(
        kind=kind,
        address=str(hook.get("resource", {}).get("addr", "")),
        action=str(hook.get("action", "")),
        elapsed_seconds=int(hook.get("elapsed_seconds", 0)),
        message=_without_ids(str(message.get("@message", ""))),
    )


def _without_ids(message: str) -> str:
    """'x: Creation complete after 8s [id=...]' without the id: ids of some resources are long and say nothing."""
    return message.split(" [id=", 1)[0]
