"""Stages of one root, as the steps see them: data -> plan -> policy -> apply of exactly that plan, in three runs.

What the data file says after a failure: as long as nothing of the stage was applied, `before` is written back, so that
the data does not promise what is not there. Once something was applied, `after` stays: a plan of it goes on with the
rest, while a plan of `before` would undo what was made (destroy a green that has just been restored). A run that finds
`after` in the file when it starts cannot know what a killed run has applied, so it leaves `after` as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rotator.domain.addresses import GATE, NOTHING
from rotator.domain.env_files import DATA_FILE
from rotator.domain.errors import TerraformError
from rotator.domain.progress import Progress
from rotator.domain.root import RootData, Stage
from rotator.host.data_file import write_data
from rotator.terraform.attempt import AtGate, Begun, not_clean, partial, plan_file, raise_refused_condition
from rotator.terraform.expected import expected
from rotator.terraform.gate import Gate, apply_with_gate
from rotator.terraform.interface import ApplyEvent, OnEvent, Terraform
from rotator.terraform.plan import PlanSummary, changes
from rotator.terraform.policy import enforce, forbidden, refusal

TAKES_DATA = ("variables.tf", "imports.tf")

Write = Callable[[RootData], None]


class TerraformStages:
    """One env's root. `work` is its private folder for plans and pipes; `unlike` names the files of the root that are
    not as they would be rendered; `on_event` is told what an apply does (None: the progress of the stage);
    `before_apply` may still refuse one, right before it begins.
    """

    def __init__(
        self,
        terraform: Terraform,
        work: Path,
        unlike: Callable[[], tuple[str, ...]] = tuple,
        on_event: OnEvent | None = None,
        before_apply: Callable[[], None] = lambda: None,
    ) -> None:
        self._terraform = terraform
        self._work = work
        self._unlike = unlike
        self._before_apply = before_apply
        self._progress: Progress = lambda fraction, detail: None
        self._on_event = on_event or self._event
        # What the state holds, as long as only applies of ours have changed it: three Terraform runs a stage, not five.
        self._held: frozenset[str] | None = None

    @property
    def runs(self) -> tuple[tuple[str, float], ...]:
        """(subcommand, seconds) of every Terraform run of this process."""
        return self._terraform.runs

    def differing(self) -> tuple[str, ...]:
        """Those of them that take the root's data: what a person changed elsewhere is for the firewall to judge."""
        return tuple(name for name in self._unlike() if name in TAKES_DATA)

    def version(self) -> str:
        """Terraform's version."""
        return self._terraform.version()

    def state_addresses(self) -> frozenset[str]:
        """Resource addresses in the state; the root is initialised for it when it must be."""
        if self._held is None:
            self._terraform.init()
            self._held = self._terraform.state_addresses()
        return self._held

    def apply(self, stage: Stage, before: RootData, after: RootData, write: Write, progress: Progress) -> bool:
        """One plan, review and apply."""
        self._progress = progress
        progress(None, "terraform plan")
        return self._applied(lambda: self.apply_stage(stage, before, after, write))

    def apply_through_gate(
        self,
        stage: Stage,
        before: RootData,
        after: RootData,
        write: Write,
        progress: Progress,
        decide: Callable[[], Literal[True]],
    ) -> bool:
        """As apply, with pipes of its own for the gate: a gate that was passed once is never taken for passed again."""
        self._progress = progress
        progress(None, "terraform plan")
        with Gate(self._work) as gate:
            gated = replace(after, gate=str(gate.path))
            return self._applied(lambda: self.apply_stage(stage, before, gated, write, AtGate(gate, decide)))

    def _applied(self, apply: Callable[[], PlanSummary]) -> bool:
        self._held = None
        summary = apply()
        self._held = summary.addresses_after
        return bool(summary.changes)

    def untaint(self, address: str) -> None:
        """Take the mark of a half-made resource off an address of the state."""
        self._terraform.init()
        self._terraform.untaint(address)

    def forget(self, address: str) -> None:
        """Take an address out of the state, and nothing else."""
        self._held = None
        self._terraform.init()
        self._terraform.forget(address)

    def settle(self) -> None:
        """Wait for the state's lock (an untaint that changes nothing), then for processes of an earlier apply."""
        self._held = None
        self.untaint(NOTHING)
        self._terraform.wait_for_applies()

    def review(self, start: RootData, *, adopted: bool, midway: bool) -> tuple[str, ...]:
        """What a plan of the root shows now; for an env that is not adopted yet, of its adoption from `start`."""
        if adopted:
            if not midway:
                self.check_clean()
                return ()
            return _lines(self.inspect())
        data = self._terraform.root / DATA_FILE
        write_data(data, start)
        try:
            summary = self.inspect()
        finally:
            data.unlink()
        enforce(Stage.ADOPT, summary, expected(Stage.ADOPT, start, start))
        return _lines(summary)

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
        begun = Begun(self._on_event)
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
        with plan_file(self._terraform, self._work) as plan:
            self._terraform.plan(plan)
            return changes(self._terraform.show(plan))

    def check_clean(self) -> None:
        """Raise Blocked, naming addresses, when a plan of the root as it is would change anything."""
        with plan_file(self._terraform, self._work) as plan:
            try:
                if not self._terraform.plan(plan):
                    return
                summary = changes(self._terraform.show(plan))
            except TerraformError as error:
                summary = partial(self._terraform, error, plan)
                if not summary.changes:
                    raise_refused_condition(error)
                    raise
        raise not_clean(self._terraform.root.name, summary)

    def _apply(self, stage: Stage, before: RootData, after: RootData, begun: Begun, gate: AtGate | None) -> PlanSummary:
        allowed = expected(stage, before, after)
        with plan_file(self._terraform, self._work) as plan:
            try:
                changed = self._terraform.plan(plan)
            except TerraformError as error:
                violations = forbidden(stage, partial(self._terraform, error, plan), allowed)
                if violations:
                    raise refusal(stage, violations) from error
                raise_refused_condition(error)
                raise
            summary = changes(self._terraform.show(plan))
            enforce(stage, summary, allowed)
            gated = any(change.address == GATE and "create" in change.actions for change in summary.changes)
            if gated:
                self._through_gate(plan, begun, gate)
            elif changed or summary.changes:
                begun.importing = any(change.importing for change in summary.changes)
                self._before_apply()
                # Also when only outputs change: else the next plan would not be clean.
                self._terraform.apply(plan, begun.event)
        return summary

    def _through_gate(self, plan: Path, begun: Begun, gate: AtGate | None) -> None:
        if gate is None:
            raise ValueError("a stage that makes a gate needs somebody at it")
        self._before_apply()
        if not apply_with_gate(self._terraform, plan, gate.gate, gate.decide, begun.event):
            raise ValueError("who stands at the gate says yes, or raises why not")

    def _data(self) -> Any:
        """The root's data without its gate (each attempt has a gate of its own); None when there is none to read."""
        try:
            found = json.loads((self._terraform.root / DATA_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return {name: value for name, value in found.items() if name != "gate"} if isinstance(found, dict) else None

    def _event(self, happened: ApplyEvent) -> None:
        since = f", {happened.elapsed_seconds} s" if happened.elapsed_seconds else ""
        self._progress(None, f"{happened.address or 'terraform'}: {happened.action or happened.message}{since}")


def _lines(summary: PlanSummary) -> tuple[str, ...]:
    return tuple(
        f"{'import, ' if change.importing else ''}{' then '.join(change.actions)} {change.address}"
        + (f" ({', '.join(change.changed_attributes)})" if change.changed_attributes else "")
        for change in summary.changes
    )
