"""One attempt at a stage: a saved plan that nobody else reads, how far an apply of it has come, and its refusals."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rotator.domain.addresses import GATE
from rotator.domain.errors import Blocked, TerraformError
from rotator.host.machine import on_this_machine
from rotator.terraform.causes import switched_key
from rotator.terraform.faults import CONDITION
from rotator.terraform.gate import Gate
from rotator.terraform.interface import ApplyEvent, OnEvent, Terraform
from rotator.terraform.plan import Change, PlanSummary, changes
from rotator.terraform.stream import STARTED

_PREFIX = "plan-"


@dataclass(frozen=True)
class AtGate:
    """What happens at the gate: the open gate (its path is in the data), and the decision (fence, drain, checks).

    It raises why not.
    """

    gate: Gate
    decide: Callable[[], Literal[True]]


class Begun:
    """Whether an apply has begun to change anything but the gate's own marker.

    `importing`: Terraform announces no start of an import, so an apply that imports counts from its call on.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self.importing = False
        self._on_event = on_event
        self._started = False

    def event(self, happened: ApplyEvent) -> None:
        """Take note of it, and pass it on."""
        if happened.kind == STARTED and happened.address != GATE:
            self._started = True
        self._on_event(happened)

    def yes(self, gate: AtGate | None) -> bool:
        """Whether it has."""
        return self._started or self.importing or (gate is not None and gate.gate.went)


@contextmanager
def plan_file(terraform: Terraform, work: Path) -> Iterator[Path]:
    """A path for a saved plan. Values are in clear in it: its folder is private, and goes. Raises MachineError."""
    with on_this_machine("There is no folder for Terraform's plan: nothing was applied.", work):
        work.mkdir(parents=True, exist_ok=True)
    for left in work.glob(f"{_PREFIX}*"):
        # Of a killed run: only one run at a time works on an env.
        shutil.rmtree(left, ignore_errors=True)
    terraform.init()
    with on_this_machine("There is no folder for Terraform's plan: nothing was applied.", work):
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=work)
    with folder as name:
        yield Path(name) / "tfplan"


def partial(terraform: Terraform, error: TerraformError, plan: Path) -> PlanSummary:
    """What a plan that failed had found until then (a condition that fails stops it, and is seldom the cause).

    Terraform saves such a plan, marked as errored, so that people can look at it.
    """
    if error.code not in {"terraform-plan", CONDITION} or not plan.exists() or plan.stat().st_size == 0:
        return PlanSummary(())
    return changes(terraform.show(plan))


def not_clean(root: str, summary: PlanSummary) -> Blocked:
    """The refusal to go on with a root whose plan should have been empty."""
    lines = [_line(item) for item in summary.changes] + [f"output {name}" for name in summary.outputs]
    return Blocked(
        f"the plan of {root} is not clean: {lines[0] if lines else 'no resource is named'}",
        why="root and world differ although no stage is under way: something was changed by hand",
        fix=_by_switched_key(summary)
        or "look at `terraform plan` there; undo the change, or make it part of the root, then run again",
        details=tuple(lines),
        code="plan-not-clean",
    )


def raise_refused_condition(error: TerraformError) -> None:
    """A condition of the modules that fails in a plan (a restore under the wrong key) is a guard's no: Blocked."""
    if error.code == CONDITION:
        raise Blocked(error.what, why=error.why, fix=error.fix, details=error.details, code="plan-condition") from error


def _by_switched_key(summary: PlanSummary) -> str | None:
    """What to do when the only cause is that keys were enabled or disabled outside of Terraform."""
    found = {switched_key(item.address, item.changed_attributes) for item in summary.changes}
    return found.pop() if len(found) == 1 and not summary.outputs else None


def _line(change: Change) -> str:
    because = change.replace_paths or change.changed_attributes
    return f"{change.address}: {' then '.join(change.actions)} {', '.join(because)}".rstrip()
