"""The driver's side of the gate, with a shell-like reader and a fake apply."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.errors import Interrupted, TerraformError
from rotator.terraform.gate import Gate, apply_with_gate
from rotator.terraform.interface import ApplyEvent, OnEvent


class FakeTerraform:
    """An apply that behaves as told; only what the gate uses of the protocol does anything."""

    def __init__(self, behave: Callable[["FakeTerraform"], None]) -> None:
        self.behave = behave
        self.stopped = threading.Event()
        self.ended = False
        self.root = Path("/nonexistent")
        self.runs = ()

    def apply(self, plan: Path, on_event: OnEvent) -> None:
        on_event(ApplyEvent("apply_start", "x", "create", 0, ""))
        try:
            self.behave(self)
        finally:
            self.ended = True

    def interrupt(self) -> None:
        self.stopped.set()

    def version(self) -> str:
        raise NotImplementedError

    def init(self) -> None:
        raise NotImplementedError

    def plan(self, out: Path) -> bool:
        raise NotImplementedError

    def show(self, plan: Path) -> dict[str, Any]:
        raise NotImplementedError

    def state_addresses(self) -> frozenset[str]:
        raise NotImplementedError


def stand_at(gate: Gate) -> str:
    """What the gate's shell does: tell, then read one line; empty at the end of the file."""
    with (gate.path / "arrived").open("w") as arrived:
        arrived.write("arrived\n")
    with (gate.path / "answer").open() as answer:
        return answer.readline().strip()


def obedient(gate: Gate, heard: list[str]) -> Callable[[FakeTerraform], None]:
    def behave(fake: FakeTerraform) -> None:
        heard.append(stand_at(gate))
        if heard[-1] != "go":
            raise TerraformError("apply failed", why="the gate said abort", fix="-")

    return behave


def nothing(happened: ApplyEvent) -> None:
    """Show nothing."""


def run(fake: FakeTerraform, gate: Gate, decide: Callable[[], bool], timeout: float = 20) -> bool:
    return apply_with_gate(fake, Path("plan"), gate, decide, nothing, arrival_timeout=timeout)


def test_the_pipes_are_private_and_go_away(tmp_path: Path) -> None:
    with Gate(tmp_path) as gate:
        path = gate.path
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for name in ("arrived", "answer"):
            mode = (path / name).stat().st_mode
            assert stat.S_ISFIFO(mode)
            assert stat.S_IMODE(mode) == 0o600
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="not open"):
        gate.path  # noqa: B018


def test_each_gate_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with Gate(tmp_path) as one, Gate(tmp_path) as two:
        assert one.path != two.path


def test_what_a_killed_driver_left_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    left = tmp_path / "gate-left"
    left.mkdir()
    os.mkfifo(left / "answer")
    with Gate(tmp_path) as living:
        assert not left.exists()
        with Gate(tmp_path):
            assert living.path.exists()


def test_go(tmp_path: Path) -> None:
    heard: list[str] = []
    threads: list[int] = []

    def decide() -> bool:
        threads.append(threading.get_ident())
        return True

    with Gate(tmp_path) as gate:
        assert run(FakeTerraform(obedient(gate, heard)), gate, decide) is True
        assert gate.went
    assert heard == ["go"]
    assert threads == [threading.get_ident()]


@pytest.mark.parametrize("said", [False, None, 1, "yes"])
def test_only_true_is_go(tmp_path: Path, said: object) -> None:
    heard: list[str] = []
    with Gate(tmp_path) as gate:
        assert run(FakeTerraform(obedient(gate, heard)), gate, lambda: said) is False  # type: ignore[arg-type,return-value]
        assert not gate.went
    assert heard == ["abort"]


@pytest.mark.parametrize("error", [ValueError("boom"), KeyboardInterrupt(), Interrupted("stop")])
def test_a_decision_that_fails_aborts_waits_and_is_raised(tmp_path: Path, error: BaseException) -> None:
    heard: list[str] = []

    def decide() -> bool:
        raise error

    with Gate(tmp_path) as gate:
        fake = FakeTerraform(obedient(gate, heard))
        with pytest.raises(type(error)) as caught:
            run(fake, gate, decide)
        assert caught.value is error
        assert fake.ended
        assert not gate.went
    assert heard == ["abort"]


def test_an_apply_that_ends_before_the_gate_raises_its_own_error(tmp_path: Path) -> None:
    def fail(fake: FakeTerraform) -> None:
        raise TerraformError("apply failed", code="terraform-apply")

    with Gate(tmp_path) as gate, pytest.raises(TerraformError) as caught:
        run(FakeTerraform(fail), gate, lambda: pytest.fail("nobody stood at the gate"))
    assert caught.value.code == "terraform-apply"


def test_an_apply_that_passes_no_gate_is_an_error(tmp_path: Path) -> None:
    with Gate(tmp_path) as gate, pytest.raises(TerraformError) as caught:
        run(FakeTerraform(lambda fake: None), gate, lambda: pytest.fail("nobody stood at the gate"))
    assert caught.value.code == "terraform-gate"
    assert not gate.went


def test_an_apply_that_never_arrives_is_stopped(tmp_path: Path) -> None:
    def hang(fake: FakeTerraform) -> None:
        assert fake.stopped.wait(20)
        raise Interrupted("stopped")

    with Gate(tmp_path) as gate:
        fake = FakeTerraform(hang)
        with pytest.raises(TerraformError) as caught:
            run(fake, gate, lambda: pytest.fail("nobody stood at the gate"), timeout=0.3)
        assert fake.ended
    assert "within" in caught.value.why


def test_an_apply_that_goes_on_after_abort_is_an_alarm(tmp_path: Path) -> None:
    with Gate(tmp_path) as gate, pytest.raises(TerraformError) as caught:
        run(FakeTerraform(lambda fake: stand_at(gate) and None), gate, lambda: False)
    assert "told to abort" in caught.value.what


def test_an_apply_that_fails_after_go_raises_its_error_and_the_gate_knows(tmp_path: Path) -> None:
    def fail(fake: FakeTerraform) -> None:
        stand_at(gate)
        raise TerraformError("apply failed", code="terraform-apply")

    with Gate(tmp_path) as gate:
        with pytest.raises(TerraformError):
            run(FakeTerraform(fail), gate, lambda: True)
        assert gate.went


def test_a_display_that_breaks_is_not_swallowed_by_an_abort(tmp_path: Path) -> None:
    def broken(fake: FakeTerraform) -> None:
        stand_at(gate)
        raise RuntimeError("no terminal")

    with Gate(tmp_path) as gate, pytest.raises(RuntimeError):
        run(FakeTerraform(broken), gate, lambda: False)


def test_the_first_answer_stands(tmp_path: Path) -> None:
    with Gate(tmp_path) as gate:
        gate.answer(False)
        gate.answer(True)
        assert not gate.went
        assert stand_at(gate) == "abort"


DRIVER = """
import os, signal, sys
from pathlib import Path
from rotator.terraform.gate import Gate
with Gate(Path(sys.argv[1])) as gate:
    print(gate.path, flush=True)
    assert gate.wait_arrived(20, lambda: True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_driver_that_dies_is_the_end_of_the_file(tmp_path: Path) -> None:
    """A process opens the gate and dies without a word: the reader must not wait for ever, and must not hear go."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as driver:
        assert driver.stdout is not None
        path = Path(driver.stdout.readline().strip())
        with (path / "arrived").open("w") as arrived, (path / "answer").open() as answer:
            arrived.write("arrived\n")
            arrived.flush()
            assert answer.readline() == ""
    assert driver.returncode == -signal.SIGKILL
