"""What people are told when the way is barred by the rotation's own fence: how to mend past it, and the way out."""

from __future__ import annotations

from rotator.rotation.steps.approvals import Approval
from rotator.rotation.steps.context import Context

PAST_FENCE = (
    "begin",
    "alter event trigger rotator_fence_ddl disable",
    "alter event trigger rotator_fence_drop disable",
    "alter table {table} disable trigger rotator_fence",
    "{mend}",
    "alter table {table} enable always trigger rotator_fence",
    "alter event trigger rotator_fence_ddl enable always",
    "alter event trigger rotator_fence_drop enable always",
    "commit",
)
"""The fence stands for everybody else all the time; one transaction, so that it is up again whatever happens."""


def by_hand(identifier: str) -> tuple[str, ...]:
    """Lines for an error: the statements that mend a row, a column or a grant on a server that is fenced."""
    first = f"{identifier} is fenced: it refuses the mending too. As the tables' owner, in one transaction:"
    words = {
        "table": "TABLE",
        "mend": "... the statements of the repair, with the two lines on TABLE for each table written to ...",
    }
    return first, *(f"  {line.format(**words)};" for line in PAST_FENCE)


def without_way_back(ctx: Context) -> str:
    """The exit when blue cannot follow green, and cannot be repaired: it loses the replication, or green's writes."""
    name = ctx.env.name
    if ctx.options.taking_back:
        return f"To go back and lose what was written on green: rotator rollback {name} --confirm {name}"
    return f"To keep green: rotator rotate {name} --approve {Approval.NO_WAY_BACK}"
