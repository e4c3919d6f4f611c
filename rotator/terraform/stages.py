"""Stages as the steps see them (rotation.steps.interfaces.Stages), over the stage runner and its gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rotator.domain.addresses import NOTHING
from rotator.domain.env_files import DATA_FILE
from rotator.domain.root import RootData, Stage
from rotator.host.data_file import write_data
from rotator.terraform.expected import expected
from rotator.terraform.gate import Gate
from rotator.terraform.interface import ApplyEvent, Terraform
from rotator.terraform.plan import PlanSummary
from rotator.terraform.policy import enforce
from rotator.terraform.stage_runner import AtGate, StageRunner

TAKES_DATA = ("variables.tf", "imports.tf")

Write = Callable[[RootData], None]
Progress = Callable[[float | None, str], None]


class TerraformStages:
    """One env's root. `work` is its private folder for plans and pipes; `unlike` names the files of the root that are
    not as they would be rendered.
    """

    def __init__(self, terraform: Terraform, work: Path, unlike: Callable[[], tuple[str, ...]] = tuple) -> None:
        self._terraform = terraform
        self._work = work
        self._unlike = unlike
        self._progress: Progress = lambda fraction, detail: None
        self._runner = StageRunner(terraform, work, self._event)
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
        return self._applied(lambda: self._runner.apply_stage(stage, before, after, write))

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
            return self._applied(lambda: self._runner.apply_stage(stage, before, gated, write, AtGate(gate, decide)))

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

    def check_clean(self) -> None:
        """Raise Blocked unless the plan is empty."""
        self._runner.clean()

    def review(self, start: RootData, *, adopted: bool, midway: bool) -> tuple[str, ...]:
        """What a plan of the root shows now; for an env that is not adopted yet, of its adoption from `start`."""
        if adopted:
            if not midway:
                self.check_clean()
                return ()
            return _lines(self._runner.inspect())
        data = self._terraform.root / DATA_FILE
        write_data(data, start)
        try:
            summary = self._runner.inspect()
        finally:
            data.unlink()
        enforce(Stage.ADOPT, summary, expected(Stage.ADOPT, start, start))
        return _lines(summary)

    def _event(self, happened: ApplyEvent) -> None:
        since = f", {happened.elapsed_seconds} s" if happened.elapsed_seconds else ""
        self._progress(None, f"{happened.address or 'terraform'}: {happened.action or happened.message}{since}")


def _lines(summary: PlanSummary) -> tuple[str, ...]:
    return tuple(
        f"{'import, ' if change.importing else ''}{' then '.join(change.actions)} {change.address}"
        + (f" ({', '.join(change.changed_attributes)})" if change.changed_attributes else "")
        for change in summary.changes
    )
