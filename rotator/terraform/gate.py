"""The driver's side of the gate inside the cutover apply: two named pipes in a private folder.

The gate (a local-exec in modules/dns_cname) writes a line to `arrived` and reads a line from `answer`: "go", or
anything else, or the end of the file, which is abort. The driver holds both pipes open from the start, and nobody
inherits them: when it dies, however it dies, the gate reads the end of the file and the apply fails before the flip.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rotator.domain.errors import Interrupted, TerraformError
from rotator.host.machine import on_this_machine
from rotator.terraform.interface import OnEvent, Terraform
from rotator.terraform.process import sigterm_interrupts

ARRIVED, ANSWER = "arrived", "answer"
_TICK = 0.1
_PREFIX = "gate-"


class Gate:
    """A gate's pipes, made on entry in a new folder under `directory` and removed on exit.

    `path` is what the root's data names as its gate. Leaving without an answer is an abort.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._pipes: dict[str, int] = {}
        self._answer: bool | None = None

    def __enter__(self) -> Gate:
        with on_this_machine("The gate's pipes could not be made: nothing was applied.", self._directory):
            return self._made()

    def _made(self) -> Gate:
        self._directory.mkdir(parents=True, exist_ok=True)
        for left in self._directory.glob(f"{_PREFIX}*"):
            if _is_dead(left):
                shutil.rmtree(left, ignore_errors=True)
        self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._directory)).resolve()
        try:
            for name in (ARRIVED, ANSWER):
                os.mkfifo(self._path / name, 0o600)
                # Read and write: neither side waits for the other to open, and our death is the other's end of file.
                self._pipes[name] = os.open(self._path / name, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def path(self) -> Path:
        """The folder with the pipes. Only inside `with`."""
        if self._path is None:
            raise ValueError("the gate is not open")
        return self._path

    @property
    def went(self) -> bool:
        """Whether go was answered: from then on the flip may have happened."""
        return self._answer is True

    def wait_arrived(self, timeout: float, alive: Callable[[], bool]) -> bool:
        """Wait until the apply has reached the flip; False when `alive` denies, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        poller = select.poll()
        poller.register(self._pipes[ARRIVED], select.POLLIN)
        while time.monotonic() < deadline:
            if poller.poll(_TICK * 1000):
                return bool(os.read(self._pipes[ARRIVED], 64))
            if not alive():
                # It may have arrived and ended between the two looks.
                return bool(poller.poll(0))
        return False

    def answer(self, go: bool) -> None:
        """Say go or abort, once; the first answer stands."""
        if self._answer is not None:
            return
        self._answer = go
        os.write(self._pipes[ANSWER], b"go\n" if go else b"abort\n")

    def _remove(self) -> None:
        for descriptor in self._pipes.values():
            os.close(descriptor)
        self._pipes = {}
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None


def _is_dead(folder: Path) -> bool:
    """Whether a gate's folder was left by a killed driver: a pipe that nobody reads cannot be opened for writing."""
    try:
        os.close(os.open(folder / ANSWER, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def apply_with_gate(
    terraform: Terraform,
    plan: Path,
    gate: Gate,
    decide: Callable[[], bool],
    on_event: OnEvent,
    *,
    arrival_timeout: float = 900.0,
) -> bool:
    """Apply a saved plan whose flip waits at `gate`; True when it went through, False when `decide` said no.

    `decide` runs in the caller's thread while the apply stands at the gate (fence, drain, check); only its True is
    answered with go. On its exception abort is answered, the apply's end awaited, and the exception raised again.
    Raises the apply's own error when it ends before the gate or fails after go. `on_event` is called from another
    thread.
    """
    apply = _Background(terraform, plan, on_event)
    with sigterm_interrupts():
        try:
            arrived = gate.wait_arrived(arrival_timeout, apply.alive)
        except BaseException:
            apply.stop(gate)
            raise
        if not arrived:
            raise _no_arrival(apply, gate, arrival_timeout)
        try:
            go = decide() is True
            gate.answer(go)
        except BaseException:
            gate.answer(False)
            apply.end()
            raise
        error = apply.end()
    if error is not None and (go or not isinstance(error, TerraformError)):
        raise error
    if not go and error is None:
        raise TerraformError(
            "the apply went on although the gate was told to abort",
            why="the record does not depend on the gate in this root",
            fix="look where the applications' name points now; then render the root again",
            code="terraform-gate",
        )
    return go


class _Background:
    """An apply in a thread of its own."""

    def __init__(self, terraform: Terraform, plan: Path, on_event: OnEvent) -> None:
        self._terraform = terraform
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(plan, on_event), name="terraform-apply")
        self._thread.start()

    def alive(self) -> bool:
        return not self._done.is_set()

    def stop(self, gate: Gate) -> BaseException | None:
        """End it before the flip: abort for when it gets to the gate, and a request to stop for until then."""
        gate.answer(False)
        if self.alive():
            self._terraform.interrupt()
        return self.end()

    def end(self) -> BaseException | None:
        """Wait for the end; give the apply's error. A request to stop goes on to Terraform, and waiting goes on."""
        while True:
            try:
                self._done.wait()
                self._thread.join()
                return self._error
            except (KeyboardInterrupt, Interrupted):
                self._terraform.interrupt()

    def _run(self, plan: Path, on_event: OnEvent) -> None:
        try:
            self._terraform.apply(plan, on_event)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            self._error = error
        finally:
            self._done.set()


def _no_arrival(apply: _Background, gate: Gate, timeout: float) -> BaseException:
    late = apply.alive()
    error = apply.stop(gate)
    if error is not None and not late:
        return error
    return TerraformError(
        "the apply never stood at the gate",
        why=f"it did not get there within {timeout:.0f} s" if late else "it ended without waiting for the driver",
        fix="look where the applications' name points now; then run the same command again",
        code="terraform-gate",
    )
