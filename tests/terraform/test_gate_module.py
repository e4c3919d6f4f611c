"""The gate of modules/dns_cname (its real text) with the driver, under the real Terraform; the record stands in."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.domain.errors import Blocked, TerraformError
from rotator.terraform.gate import Gate, apply_with_gate
from rotator.terraform.interface import ApplyEvent
from rotator.terraform.plan import Change, changes
from rotator.terraform.runner import TerraformRunner

pytestmark = pytest.mark.terraform

PROJECT = Path(__file__).parents[2]
MODULE = PROJECT / "modules" / "dns_cname"
STAND_IN = """
variable "gate" { default = null }
variable "target" { default = "blue" }
variable "gate_wait_seconds" { default = 60 }
variable "spelling" { default = null }
variable "also" { default = {} }
resource "terraform_data" "record" {
  input      = var.target
  depends_on = [terraform_data.gate]
}
"""


@pytest.fixture
def runner(tmp_path: Path) -> TerraformRunner:
    """A root whose record says blue, with the module's own gate."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("no terraform on PATH")
    root = tmp_path / "root"
    root.mkdir()
    gate, marker, _ = (MODULE / "main.tf").read_text().partition('resource "aws_route53_record"')
    assert marker, "the module has no record any more"
    (root / "main.tf").write_text(gate + STAND_IN)
    shutil.copy(MODULE / "gate.sh", root)
    made = TerraformRunner(root, Path(binary), os.environ, lock_timeout_seconds=60)
    made.init()
    made.plan(tmp_path / "first")
    made.apply(tmp_path / "first", nothing)
    return made


def nothing(happened: ApplyEvent) -> None:
    """Show nothing."""


def plan_flip(runner: TerraformRunner, gate: Path | str, plan: Path, seconds: int = 60) -> tuple[Change, ...]:
    (runner.root / "terraform.tfvars").write_text(f'gate = "{gate}"\ntarget = "green"\ngate_wait_seconds = {seconds}\n')
    assert runner.plan(plan)
    return changes(runner.show(plan)).changes


def record(runner: TerraformRunner, scratch: Path) -> str:
    """What the record says, as the state knows it: a plan for blue that changes nothing means blue."""
    (runner.root / "terraform.tfvars").write_text('target = "blue"\n')
    runner.plan(scratch / "look")
    found = {change.address for change in changes(runner.show(scratch / "look")).changes}
    return "green" if "terraform_data.record" in found else "blue"


def flip(runner: TerraformRunner, tmp_path: Path, decide: Callable[[], bool]) -> bool:
    with Gate(tmp_path / "gates") as gate:
        plan_flip(runner, gate.path, tmp_path / "flip")
        return apply_with_gate(runner, tmp_path / "flip", gate, decide, nothing)


def test_go_flips_at_once(runner: TerraformRunner, tmp_path: Path) -> None:
    said: list[float] = []

    def decide() -> bool:
        said.append(time.monotonic())
        return True

    assert flip(runner, tmp_path, decide) is True
    # 0.1 s on an idle machine; far below any of the gate's waits (10 s, 60 s), which must not lie between go and flip.
    assert time.monotonic() - said[0] < 5
    assert record(runner, tmp_path) == "green"


def test_no_changes_nothing_and_the_next_attempt_makes_the_gate_anew(runner: TerraformRunner, tmp_path: Path) -> None:
    assert flip(runner, tmp_path, lambda: False) is False
    assert record(runner, tmp_path) == "blue"
    with Gate(tmp_path / "gates") as gate:
        found = plan_flip(runner, gate.path, tmp_path / "again")
    actions = {change.address: change.actions for change in found}
    assert actions == {
        "terraform_data.gate[0]": ("delete", "create"),
        "terraform_data.record": ("update",),
    }


def test_an_error_in_the_decision_changes_nothing(runner: TerraformRunner, tmp_path: Path) -> None:
    def decide() -> bool:
        raise Blocked("not drained")

    with pytest.raises(Blocked, match="not drained"):
        flip(runner, tmp_path, decide)
    assert record(runner, tmp_path) == "blue"


def test_a_gate_that_was_passed_once_is_made_anew_for_the_way_back(runner: TerraformRunner, tmp_path: Path) -> None:
    with Gate(tmp_path / "gates") as gate:
        plan_flip(runner, gate.path, tmp_path / "flip")
        apply_with_gate(runner, tmp_path / "flip", gate, lambda: True, nothing)
        # Even with the same pipes: another target is another gate.
        (runner.root / "terraform.tfvars").write_text(f'gate = "{gate.path}"\ntarget = "blue"\n')
        runner.plan(tmp_path / "back")
        actions = {change.address: change.actions for change in changes(runner.show(tmp_path / "back")).changes}
    assert actions["terraform_data.gate[0]"] == ("delete", "create")


def test_an_apply_by_hand_without_a_driver_fails_at_the_gate(runner: TerraformRunner, tmp_path: Path) -> None:
    plan_flip(runner, "/nowhere/gate", tmp_path / "flip")
    with pytest.raises(TerraformError) as caught:
        runner.apply(tmp_path / "flip", nothing)
    assert "terraform_data.gate[0]" in caught.value.what
    assert record(runner, tmp_path) == "blue"


def test_pipes_that_nobody_holds_fail_after_a_bounded_wait(runner: TerraformRunner, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    for name in ("arrived", "answer"):
        os.mkfifo(left / name)
    plan_flip(runner, left, tmp_path / "flip")
    began = time.monotonic()
    with pytest.raises(TerraformError):
        runner.apply(tmp_path / "flip", nothing)
    assert time.monotonic() - began < 30
    assert record(runner, tmp_path) == "blue"


def test_a_driver_that_never_answers_fails_after_the_wait(runner: TerraformRunner, tmp_path: Path) -> None:
    with Gate(tmp_path / "gates") as gate:
        plan_flip(runner, gate.path, tmp_path / "flip", seconds=2)
        with pytest.raises(TerraformError):
            runner.apply(tmp_path / "flip", nothing)
    assert record(runner, tmp_path) == "blue"


DRIVER = """
import os, signal, sys
from pathlib import Path
from rotator.terraform.gate import Gate, apply_with_gate
from rotator.terraform.runner import TerraformRunner
root, binary, scratch = map(Path, sys.argv[1:4])
runner = TerraformRunner(root, binary, os.environ)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

with Gate(scratch / "gates") as gate:
    (root / "terraform.tfvars").write_text(f'gate = "{gate.path}"\\ntarget = "green"\\n')
    runner.plan(scratch / "flip")
    apply_with_gate(runner, scratch / "flip", gate, die, lambda happened: None)
"""


def test_a_driver_that_dies_at_the_gate_leaves_the_record_alone(runner: TerraformRunner, tmp_path: Path) -> None:
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER, str(runner.root), runner.terraform_bin_path, str(tmp_path)],
        cwd=PROJECT,
        check=False,
        timeout=60,
    )
    assert driver.returncode == -signal.SIGKILL
    # Waits for the orphan's state lock: it ends by itself, and writes the state.
    assert record(runner, tmp_path) == "blue"
    assert "terraform_data.gate[0]" in runner.state_addresses()
