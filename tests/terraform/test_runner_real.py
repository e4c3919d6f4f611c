"""The runner against the real Terraform, with roots that need no provider but the built-in one."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.domain.errors import (
    Interrupted,
    TerraformError,
    TerraformInitError,
    TerraformMissing,
    TerraformStateLocked,
)
from rotator.terraform.environment import terraform_env
from rotator.terraform.interface import ApplyEvent
from rotator.terraform.plan import changes
from rotator.terraform.runner import TerraformRunner

pytestmark = pytest.mark.terraform

SIMPLE = """
variable "word" { default = "one" }
resource "terraform_data" "a" { input = var.word }
output "word" { value = terraform_data.a.output }
"""

# Waits until somebody writes to the pipe; tells that it has begun by making a file.
BLOCKED = """
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "touch begun; read line < pipe; test \\"$line\\" = ok" }
}
"""


def binary() -> Path:
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("no terraform on PATH")
    return Path(found)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., TerraformRunner]:
    def build(text: str, **options: int) -> TerraformRunner:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        (root / "main.tf").write_text(text)
        environ = terraform_env(None, tmp_path / "work", os.environ)
        return TerraformRunner(root, binary(), environ, **options)

    return build


def nothing(happened: ApplyEvent) -> None:
    """Show nothing."""


def test_a_whole_round(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    runner = make(SIMPLE)
    plan, seen = tmp_path / "plan", list[ApplyEvent]()
    assert runner.state_addresses() == frozenset()
    runner.init()
    assert runner.plan(plan)
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    summary = changes(runner.show(plan))
    assert [(change.address, change.actions) for change in summary.changes] == [("terraform_data.a", ("create",))]
    assert summary.outputs == ("word",)
    runner.apply(plan, seen.append)
    assert [event.kind for event in seen] == ["apply_start", "apply_complete"]
    assert runner.state_addresses() == {"terraform_data.a"}
    assert not runner.plan(plan)
    assert [name for name, _ in runner.runs] == ["state list", "init", "plan", "show", "apply", "state list", "plan"]
    assert all(seconds > 0 for _, seconds in runner.runs)


TAINTED = """
resource "terraform_data" "{name}" {{
  provisioner "local-exec" {{ command = "exit 1" }}
}}
"""


@pytest.mark.parametrize(
    "name", ["short", "a_name_that_is_long_enough_for_the_sentence_about_it_to_be_broken_into_lines"]
)
def test_untaint_takes_the_mark_off_and_leaves_the_unmarked_alone(
    make: Callable[..., TerraformRunner], tmp_path: Path, name: str
) -> None:
    runner, plan = make(TAINTED.format(name=name)), tmp_path / "plan"
    runner.init()
    runner.plan(plan)
    with pytest.raises(TerraformError):
        runner.apply(plan, nothing)
    address = f"terraform_data.{name}"
    runner.untaint(address)
    assert not runner.plan(plan)
    runner.untaint(address)
    runner.untaint("terraform_data.not_there")


def test_forget_takes_one_instance_out_of_the_state_and_destroys_nothing(
    make: Callable[..., TerraformRunner], tmp_path: Path
) -> None:
    text = 'resource "terraform_data" "a" {\n  for_each = toset(["Z1/db.example.com", "Z2/db.example.com"])\n}\n'
    runner, plan = make(text), tmp_path / "plan"
    runner.init()
    runner.plan(plan)
    runner.apply(plan, nothing)
    one = 'terraform_data.a["Z1/db.example.com"]'
    assert one in runner.state_addresses()
    for _ in range(2):
        runner.forget(one)
        assert runner.state_addresses() == {'terraform_data.a["Z2/db.example.com"]'}


def test_two_plans_of_the_same_changes_have_the_same_digest(
    make: Callable[..., TerraformRunner], tmp_path: Path
) -> None:
    runner = make(SIMPLE)
    runner.init()
    digests = []
    for name in ("p1", "p2"):
        runner.plan(tmp_path / name)
        digests.append(changes(runner.show(tmp_path / name)).digest)
    (runner.root / "terraform.tfvars").write_text('word = "two"\n')
    runner.plan(tmp_path / "p3")
    digests.append(changes(runner.show(tmp_path / "p3")).digest)
    assert digests[0] == digests[1] != digests[2]


def test_init_runs_once_and_again_when_the_root_changes(make: Callable[..., TerraformRunner]) -> None:
    runner = make(SIMPLE)
    runner.init()
    runner.init()
    assert [name for name, _ in runner.runs] == ["init"]
    (runner.root / "main.tf").write_text(SIMPLE + "\n# changed\n")
    runner.init()
    shutil.rmtree(runner.root / ".terraform")
    runner.init()
    assert [name for name, _ in runner.runs] == ["init"] * 3


def test_init_runs_again_when_a_module_changes(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.tf").write_text(SIMPLE)
    runner = make('module "m" { source = "../module" }')
    runner.init()
    runner.init()
    (module / "main.tf").write_text(SIMPLE + "# changed\n")
    runner.init()
    assert [name for name, _ in runner.runs] == ["init", "init"]


def test_a_changed_backend_is_never_migrated_by_itself(make: Callable[..., TerraformRunner]) -> None:
    make('terraform {\n  backend "local" { path = "one.tfstate" }\n}').init()
    with pytest.raises(TerraformInitError) as caught:
        make('terraform {\n  backend "local" { path = "two.tfstate" }\n}').init()
    assert "-migrate-state" in caught.value.fix
    assert "Backend configuration changed" in caught.value.why


def test_a_provider_that_is_nowhere(tmp_path: Path, make: Callable[..., TerraformRunner]) -> None:
    empty = tmp_path / "mirror"
    empty.mkdir()
    (tmp_path / "rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{empty}" }}\n}}\n')
    root = make('terraform {\n  required_providers {\n    zz = { source = "example/zz" }\n  }\n}').root
    runner = TerraformRunner(root, binary(), {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "rc")})
    with pytest.raises(TerraformInitError, match="provider") as caught:
        runner.init()
    assert "example/zz" in caught.value.why
    assert "mirror" in caught.value.fix


def test_a_variable_without_value_is_missing_data(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    runner = make('variable "generations" { type = any }')
    with pytest.raises(TerraformError) as caught:
        runner.plan(tmp_path / "plan")
    assert caught.value.code == "terraform-no-data"


def test_a_failed_apply_names_its_address(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    runner = make('resource "terraform_data" "a" {\n  provisioner "local-exec" { command = "exit 3" }\n}')
    runner.plan(tmp_path / "plan")
    seen: list[ApplyEvent] = []
    with pytest.raises(TerraformError) as caught:
        runner.apply(tmp_path / "plan", seen.append)
    assert caught.value.code == "terraform-apply"
    assert "terraform_data.a" in caught.value.what
    assert "exit status 3" in caught.value.why
    assert seen[-1].kind == "apply_errored"
    runner.plan(tmp_path / "again")
    (change,) = changes(runner.show(tmp_path / "again")).changes
    assert change.actions == ("delete", "create")
    assert change.action_reason == "replace_because_tainted"


def test_a_stale_plan_is_its_own_error(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    runner = make(SIMPLE)
    runner.plan(tmp_path / "plan")
    runner.apply(tmp_path / "plan", nothing)
    with pytest.raises(TerraformError) as caught:
        runner.apply(tmp_path / "plan", nothing)
    assert caught.value.code == "terraform-plan-stale"


def test_a_display_that_breaks_does_not_break_the_apply(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    def broken(happened: ApplyEvent) -> None:
        raise RuntimeError("no terminal")

    runner = make(SIMPLE)
    runner.plan(tmp_path / "plan")
    with pytest.raises(RuntimeError, match="no terminal"):
        runner.apply(tmp_path / "plan", broken)
    assert runner.state_addresses() == {"terraform_data.a"}


def test_other_commands_and_typos_are_not_commands(make: Callable[..., TerraformRunner]) -> None:
    runner = make(SIMPLE)
    with pytest.raises(ValueError, match="destroy"):
        runner.cmd("destroy")
    with pytest.raises(AttributeError):
        runner.aply  # noqa: B018
    assert runner.tfstate is None if "tfstate" in vars(runner) else True
    assert runner.runs == ()


def test_no_root_and_no_binary(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match="does not exist") as caught:
        TerraformRunner(tmp_path / "gone", binary(), {}).version()
    assert "render" in caught.value.fix
    with pytest.raises(TerraformMissing):
        TerraformRunner(tmp_path, tmp_path / "terraform", {}).version()


def test_the_version(make: Callable[..., TerraformRunner]) -> None:
    assert make(SIMPLE).version().split(".")[0] == "1"


class Applying:
    """An apply in another thread that stands in a provisioner until it is released."""

    def __init__(self, runner: TerraformRunner, folder: Path) -> None:
        os.mkfifo(runner.root / "pipe")
        self.runner = runner
        self.error: BaseException | None = None
        self.begun = threading.Event()
        runner.plan(folder / "held")
        self._thread = threading.Thread(target=self._run, args=(folder / "held",))

    def _run(self, plan: Path) -> None:
        try:
            self.runner.apply(plan, lambda happened: self.begun.set())
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    def __enter__(self) -> "Applying":
        self._thread.start()
        assert self.begun.wait(30)
        return self

    def release(self, word: str = "ok") -> None:
        with (self.runner.root / "pipe").open("w") as pipe:
            pipe.write(f"{word}\n")

    def __exit__(self, *args: object) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_a_held_lock_is_waited_for_and_then_told(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    waited: list[ApplyEvent] = []
    with Applying(make(BLOCKED), tmp_path) as holder:
        second = TerraformRunner(
            holder.runner.root,
            binary(),
            dict(os.environ),
            lock_timeout_seconds=2,
            on_wait=waited.append,
        )
        with pytest.raises(TerraformStateLocked) as caught:
            second.plan(tmp_path / "second")
        holder.release()
    assert holder.error is None
    assert waited[0].message == "waiting for the state lock"
    assert "force-unlock" in caught.value.fix
    assert {detail.split(":")[0] for detail in caught.value.details} == {"ID", "Path", "Operation", "Who", "Created"}


def test_one_request_to_stop_ends_it_gracefully(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    runner = make(BLOCKED)
    with Applying(runner, tmp_path) as holder:
        runner.interrupt()
    assert isinstance(holder.error, Interrupted)
    assert "one SIGINT" in holder.error.why
    assert not (runner.root / ".terraform.tfstate.lock.info").exists()
    assert runner.state_addresses() == {"terraform_data.a"}


def test_a_second_request_kills_it(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    stubborn = BLOCKED.replace("read line", "trap '' INT TERM; read line")
    runner = make(stubborn)
    with Applying(runner, tmp_path) as holder:
        runner.interrupt()
        runner.interrupt()
    assert isinstance(holder.error, Interrupted)
    assert "killed" in holder.error.why


DRIVER = """
import os, sys
from pathlib import Path
from rotator.terraform.runner import TerraformRunner
root, binary, plan = map(Path, sys.argv[1:4])
runner = TerraformRunner(root, binary, os.environ)
try:
    runner.apply(plan, lambda happened: print(happened.kind, flush=True))
except BaseException as error:  # noqa: BLE001 - looked at by the test
    print(type(error).__name__, flush=True)
"""


def driver(runner: TerraformRunner, plan: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(runner.root), str(binary()), str(plan)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )


def test_what_outlives_a_killed_terraform_is_waited_for(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    """Terraform's lock goes with Terraform; what it has started goes on, and may take effect yet."""
    runner = make(BLOCKED)
    with Applying(runner, tmp_path) as holder:
        while not (runner.root / "begun").exists():
            assert holder.error is None
        child = runner._child
        assert child is not None
        child._process.kill()
    waited: list[ApplyEvent] = []
    second = TerraformRunner(runner.root, binary(), dict(os.environ), lock_timeout_seconds=1, on_wait=waited.append)
    with pytest.raises(TerraformStateLocked) as caught:
        second.plan(tmp_path / "second")
    assert caught.value.code == "apply-outlived"
    assert waited[-1].message == "an apply of an earlier run is still at work"
    holder.release()
    patient = TerraformRunner(runner.root, binary(), dict(os.environ), lock_timeout_seconds=30)
    assert patient.plan(tmp_path / "third")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_driver_ends_terraform_gracefully(
    make: Callable[..., TerraformRunner], tmp_path: Path, number: signal.Signals
) -> None:
    runner = make(BLOCKED)
    os.mkfifo(runner.root / "pipe")
    runner.plan(tmp_path / "plan")
    process = driver(runner, tmp_path / "plan")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "apply_start"
    # To the whole group, as a terminal's Ctrl-C.
    os.killpg(process.pid, number)
    rest, _ = process.communicate(timeout=60)
    assert rest.split()[-1] == "Interrupted"
    assert runner.state_addresses() == {"terraform_data.a"}
    assert not (runner.root / ".terraform.tfstate.lock.info").exists()


def test_a_killed_driver_leaves_an_apply_that_ends_well(make: Callable[..., TerraformRunner], tmp_path: Path) -> None:
    """Its output must not be a pipe: Terraform would die of SIGPIPE, and the state would not know what was made."""
    runner = make(BLOCKED, lock_timeout_seconds=60)
    os.mkfifo(runner.root / "pipe")
    runner.plan(tmp_path / "plan")
    process = driver(runner, tmp_path / "plan")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "apply_start"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    with (runner.root / "pipe").open("w") as pipe:
        pipe.write("ok\n")
    # Waits for the orphan's lock, then sees what it has made.
    assert not runner.plan(tmp_path / "after")
    assert json.loads((runner.root / "terraform.tfstate").read_text())["resources"][0].get("status") is None


CONDITION = """
variable "word" { default = "one" }
resource "terraform_data" "a" {
  triggers_replace = [var.word]
  lifecycle {
    postcondition {
      condition     = self.triggers_replace[0] == "one"
      error_message = "not one"
    }
  }
}
"""


def test_a_plan_that_fails_on_a_condition_is_saved_with_what_it_found(
    make: Callable[..., TerraformRunner], tmp_path: Path
) -> None:
    """The stage runner reads it to name the change that is behind a failing condition."""
    runner = make(CONDITION)
    runner.plan(tmp_path / "plan")
    runner.apply(tmp_path / "plan", nothing)
    (runner.root / "terraform.tfvars").write_text('word = "two"\n')
    with pytest.raises(TerraformError) as caught:
        runner.plan(tmp_path / "failed")
    assert caught.value.code == "terraform-condition"
    assert "not one" in caught.value.why
    summary = changes(runner.show(tmp_path / "failed"))
    assert summary.errored
    assert [(change.actions, change.replace_paths) for change in summary.changes] == [
        (("delete", "create"), ("triggers_replace",))
    ]


def test_an_import_that_changes_nothing_else_is_a_change_and_tells_no_start(
    make: Callable[..., TerraformRunner], tmp_path: Path
) -> None:
    runner = make('import {\n  to = terraform_data.a\n  id = "abc"\n}\nresource "terraform_data" "a" {}')
    assert runner.plan(tmp_path / "plan")
    (change,) = changes(runner.show(tmp_path / "plan")).changes
    assert (change.actions, change.importing) == (("no-op",), True)
    seen: list[ApplyEvent] = []
    runner.apply(tmp_path / "plan", seen.append)
    assert seen == []
    assert runner.state_addresses() == {"terraform_data.a"}
