"""One stage: data -> plan -> policy -> apply of exactly that plan, in three Terraform runs.

What the data file says after a failure: as long as nothing of the stage was applied, `before` is written back, so that
the data does not promise what is not there. Once something was applied, `after` stays: a plan of it goes on with the
rest, while a plan of `before` would undo what was made (destroy a green that has just been restored). A run that finds
`after` in the file when it starts cannot know what a killed run has applied, so it leaves `after` as well.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rotator.domain.addresses import GATE
from rotator.domain.env_files import DATA_FILE
from rotator.domain.errors import Blocked, TerraformError
from rotator.domain.root import RootData, Stage
from rotator.host.machine import on_this_machine
from rotator.terraform.causes import switched_key
from rotator.terraform.expected import expected
from rotator.terraform.faults import CONDITION
from rotator.terraform.gate import Gate, apply_with_gate
from rotator.terraform.interface import ApplyEvent, OnEvent, Terraform
from rotator.terraform.plan import Change, PlanSummary, changes
from rotator.terraform.policy import enforce, forbidden, refusal
from rotator.terraform.stream import STARTED

_PREFIX = "plan-"


@dataclass(frozen=True)
class AtGate:
    """What happens at the gate: the open gate (its path is in the data), and the decision (fence, drain, checks).

    It raises why not.
    """

    gate: Gate
    decide: Callable[[], Literal[True]]


class StageRunner:
    """Applies stages of one root. `work` is a private folder of the env; plan files live there while they are used."""

    def __init__(self, terraform: Terraform, work: Path, on_event: OnEvent) -> None:
        self._terraform = terraform
        self._work = work
        self._on_event = on_event

    def apply_stage(
        self,
        stage: Stage,
        before: RootData,
        after: RootData,
        write: Callable[[RootData], None],
        gate: AtGate | None = None,
    ) -> PlanSummary:
        """Bring the root from `before` to `after`; the summary has no changes when a killed run had done it all.

        `before` is the journal's data, `write` puts data into the root's data file. Raises Blocked when the plan holds
        anything but the stage's changes (nothing is applied); TerraformError and
        its kin otherwise.
        """
        begun = _Begun(self._on_event)
        found = self._data()
        write(after)
        resumed = found is not None and found == self._data()
        try:
            return self._apply(stage, before, after, begun, gate)
        except BaseException:
            if not resumed and not begun.yes(gate):
                write(before)
            raise

    def inspect(self) -> PlanSummary:
        """Plan the root as it is, for showing; nothing is applied."""
        with self._plan_file() as plan:
            self._terraform.plan(plan)
            return changes(self._terraform.show(plan))

    def clean(self) -> None:
        """Raise Blocked, naming addresses, when a plan of the root as it is would change anything."""
        with self._plan_file() as plan:
            try:
                if not self._terraform.plan(plan):
                    return
                summary = changes(self._terraform.show(plan))
            except TerraformError as error:
                summary = self._partial(error, plan)
                if not summary.changes:
                    _raise_refused_condition(error)
                    raise
        lines = [_line(item) for item in summary.changes] + [f"output {name}" for name in summary.outputs]
        raise Blocked(
            f"the plan of {self._terraform.root.name} is not clean: {lines[0] if lines else 'no resource is named'}",
            why="root and world differ although no stage is under way: something was changed by hand",
            fix=_by_switched_key(summary)
            or "look at `terraform plan` there; undo the change, or make it part of the root, then run again",
            details=tuple(lines),
            code="plan-not-clean",
        )

    def _apply(
        self, stage: Stage, before: RootData, after: RootData, begun: _Begun, gate: AtGate | None
    ) -> PlanSummary:
        allowed = expected(stage, before, after)
        with self._plan_file() as plan:
            try:
                changed = self._terraform.plan(plan)
            except TerraformError as error:
                violations = forbidden(stage, self._partial(error, plan), allowed)
                if violations:
                    raise refusal(stage, violations) from error
                _raise_refused_condition(error)
                raise
            summary = changes(self._terraform.show(plan))
            enforce(stage, summary, allowed)
            gated = any(change.address == GATE and "create" in change.actions for change in summary.changes)
            if gated:
                self._through_gate(plan, begun, gate)
            elif changed or summary.changes:
                begun.importing = any(change.importing for change in summary.changes)
                # Also when only outputs change: else the next plan would not be clean.
                self._terraform.apply(plan, begun.event)
        return summary

    def _through_gate(self, plan: Path, begun: _Begun, gate: AtGate | None) -> None:
        if gate is None:
            raise ValueError("a stage that makes a gate needs somebody at it")
        if not apply_with_gate(self._terraform, plan, gate.gate, gate.decide, begun.event):
            raise ValueError("who stands at the gate says yes, or raises why not")

    def _partial(self, error: TerraformError, plan: Path) -> PlanSummary:
        """What a plan that failed had found until then (a condition that fails stops it, and is seldom the cause).

        Terraform saves such a plan, marked as errored, so that people can look at it.
        """
        if error.code not in {"terraform-plan", CONDITION} or not plan.exists() or plan.stat().st_size == 0:
            return PlanSummary(())
        return changes(self._terraform.show(plan))

    @contextmanager
    def _plan_file(self) -> Iterator[Path]:
        """A path for a saved plan. Values are in clear in it: its folder is private, and goes."""
        with on_this_machine("There is no folder for Terraform's plan: nothing was applied.", self._work):
            self._work.mkdir(parents=True, exist_ok=True)
        for left in self._work.glob(f"{_PREFIX}*"):
            # Of a killed run: only one run at a time works on an env.
            shutil.rmtree(left, ignore_errors=True)
        self._terraform.init()
        with on_this_machine("There is no folder for Terraform's plan: nothing was applied.", self._work):
            folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self._work)
        with folder as name:
            yield Path(name) / "tfplan"

    def _data(self) -> Any:
        """The root's data without its gate (each attempt has a gate of its own); None when there is none to read."""
        try:
            found = json.loads((self._terraform.root / DATA_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return {name: value for name, value in found.items() if name != "gate"} if isinstance(found, dict) else None


def _raise_refused_condition(error: TerraformError) -> None:
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


class _Begun:
    """Whether an apply has begun to change anything but the gate's own marker.

    `importing`: Terraform announces no start of an import, so an apply that imports counts from its call on.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self.importing = False
        self._on_event = on_event
        self._started = False

    def event(self, happened: ApplyEvent) -> None:
        if happened.kind == STARTED and happened.address != GATE:
            self._started = True
        self._on_event(happened)

    def yes(self, gate: AtGate | None) -> bool:
        return self._started or self.importing or (gate is not None and gate.gate.went)
