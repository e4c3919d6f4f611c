"""The runner of one Terraform root. python-terraform lives here alone; what is broken in it is replaced.

Of python-terraform 0.10.1 only `generate_cmd_string()` is used. Replaced: `cmd()` (it logs values, streams nothing and
knows no signals), `__getattr__` (any typo became a command) and `read_state_file()` (it kept the state in memory).
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import python_terraform

from rotator.domain.addresses import NOTHING
from rotator.domain.env_files import WORK_FOLDER
from rotator.domain.errors import Interrupted, RotatorError, TerraformError, TerraformMissing
from rotator.host.machine import explain, on_this_machine
from rotator.terraform import stamp
from rotator.terraform.diagnostics import Diagnostic, from_stream, from_text
from rotator.terraform.faults import Failure, to_error
from rotator.terraform.interface import ApplyEvent, OnEvent
from rotator.terraform.outlived import ApplyLock
from rotator.terraform.process import Child, Finished, OnLine, sigterm_interrupts
from rotator.terraform.provider import KeptProvider
from rotator.terraform.stream import LOCKING, event

_COMMANDS = frozenset({"version", "init", "plan", "show", "apply", "state list", "state rm", "untaint"})
_FLAG = python_terraform.IsFlagged


def _ignore(happened: ApplyEvent) -> None:
    """Show nothing."""


class TerraformRunner(python_terraform.Terraform):  # type: ignore[misc]  # the library is untyped
    """Implements rotator.terraform.interface.Terraform for one root.

    `environ` is the whole environment of every call (see environment.terraform_env). A state lock held by somebody
    else is waited for `lock_timeout_seconds` (a killed run's apply may still be ending), told through `on_wait`.
    """

    def __init__(
        self,
        root: Path,
        binary: Path,
        environ: Mapping[str, str],
        *,
        lock_timeout_seconds: int = 600,
        on_wait: OnEvent = _ignore,
        clock: Callable[[], float] = time.monotonic,
        kept: KeptProvider | None = None,
    ) -> None:
        super().__init__(working_dir=str(root), terraform_bin_path=str(binary))
        self._root = root
        self._binary = str(binary)
        self._environ = dict(environ)
        self._lock_timeout = f"{lock_timeout_seconds}s"
        self._on_wait = on_wait
        self._applies = ApplyLock(root / WORK_FOLDER, lock_timeout_seconds)
        self._clock = clock
        self._kept = kept
        self._runs: list[tuple[str, float]] = []
        self._child: Child | None = None

    @property
    def root(self) -> Path:
        return self._root

    @property
    def runs(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._runs)

    def version(self) -> str:
        """Terraform's own version, such as '1.11.4'."""
        _, out, _ = self._run("version", json=_FLAG)
        return str(json.loads(out)["terraform_version"])

    def init(self) -> None:
        """`terraform init` when the root needs it; never migrates or reconfigures a backend."""
        if stamp.is_initialised(self._root, self._environ, self._binary):
            return
        self._run("init", input=False, no_color=_FLAG, lock_timeout=self._lock_timeout)
        stamp.remember(self._root, self._environ, self._binary)

    def plan(self, out: Path) -> bool:
        """Write a saved plan, readable by its owner only (values are in clear in it); True when it has changes.

        An apply that has outlived its driver is waited for: a plan beside it would be out of date when it is applied.
        """
        self.wait_for_applies()
        with on_this_machine("Terraform's plan could not be written.", out):
            os.close(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600))
        code, _, _ = self._look(
            "plan",
            on_line=self._announce_wait,
            allowed=(0, 2),
            json=_FLAG,
            detailed_exitcode=_FLAG,
            input=False,
            lock_timeout=self._lock_timeout,
            out=out.resolve(),
        )
        return code == 2

    def show(self, plan: Path) -> Mapping[str, Any]:
        """The saved plan as JSON, in this process's memory alone."""
        _, out, _ = self._look("show", str(plan.resolve()), json=_FLAG)
        shown: Mapping[str, Any] = json.loads(out)
        return shown

    def apply(self, plan: Path, on_event: OnEvent) -> None:
        """Apply exactly that saved plan. `on_event` is called in the thread that called this."""

        def show(line: str) -> None:
            happened = event(line)
            if happened is not None:
                on_event(happened)

        with self._applies.held(self._on_wait) as lock:
            self._run(
                "apply",
                str(plan.resolve()),
                on_line=show,
                inherits=(lock,),
                json=_FLAG,
                input=False,
                lock_timeout=self._lock_timeout,
            )

    def wait_for_applies(self) -> None:
        """Return once no process of an apply of an earlier run is alive, its provider included.

        As long as Terraform itself lives it holds the state's lock, and says best who it is.
        """
        if self._applies.is_free():
            return
        self._on_wait(ApplyEvent(LOCKING, "", "", 0, "waiting for the state lock"))
        self.untaint(NOTHING)
        self._applies.wait(self._on_wait)

    def state_addresses(self) -> frozenset[str]:
        """Addresses in the state; empty when there is none yet."""
        code, out, err = self._run("state list", allowed=(0, 1))
        if code == 0:
            return frozenset(line.strip() for line in out.splitlines() if line.strip())
        if "No state file was found" in err:
            return frozenset()
        raise self._error("state list", code, out, err)

    def untaint(self, address: str) -> None:
        """`terraform untaint`; a resource that is not tainted, or not there, is left alone."""
        code, out, err = self._run(
            "untaint", address, allowed=(0, 1), allow_missing=_FLAG, no_color=_FLAG, lock_timeout=self._lock_timeout
        )
        # Terraform breaks its text into lines, wherever an address is long.
        if code == 1 and "not currently tainted" not in " ".join((err + out).replace("│", " ").split()):
            raise self._error("untaint", code, out, err)

    def forget(self, address: str) -> None:
        """`terraform state rm`; an address that is not in the state is left alone.

        A `removed` block would be part of a plan, but it names whole resources, never one of their instances.
        """
        if address in self.state_addresses():
            self._run("state rm", address, lock_timeout=self._lock_timeout)

    def close(self) -> None:
        """End what is kept for this runner."""
        if self._kept is not None:
            self._kept.close()

    def interrupt(self) -> None:
        """Ask the running command to end gracefully (one SIGINT); a second call kills it. From any thread."""
        child = self._child
        if child is not None:
            child.interrupt()

    # --- python-terraform's own methods, replaced -----------------------------------------------------------------

    def cmd(
        self,
        cmd: str,
        *args: str,
        on_line: OnLine | None = None,
        inherits: tuple[int, ...] = (),
        environ: Mapping[str, str] = {},
        **options: Any,
    ) -> tuple[int, str, str]:
        """Run one known subcommand; (exit code, standard output, standard error), apart.

        Raises TerraformMissing when the binary cannot be started, Interrupted when somebody stopped it.
        """
        if cmd not in _COMMANDS:
            raise ValueError(f"this runner does not run `terraform {cmd}`")
        argv: list[str] = self.generate_cmd_string(cmd, *args, **options)
        started = self._clock()
        try:
            finished = self._supervise(argv, on_line, inherits, environ)
        finally:
            self._runs.append((cmd, self._clock() - started))
        if finished.interrupted:
            raise _interrupted(cmd, finished)
        return finished.code, finished.out, finished.err

    def read_state_file(self, file_path: str | None = None) -> None:
        """Not here: the state holds secrets, and nothing of ours reads it as a file."""

    def __getattr__(self, item: str) -> NoReturn:
        raise AttributeError(item)

    # --- private --------------------------------------------------------------------------------------------------

    def _supervise(
        self, argv: list[str], on_line: OnLine | None, inherits: tuple[int, ...], environ: Mapping[str, str]
    ) -> Finished:
        with sigterm_interrupts():
            try:
                self._child = Child(argv, self._root, {**self._environ, **environ}, inherits)
            except OSError as error:
                raise self._not_started(error) from error
            try:
                return self._child.wait(on_line)
            finally:
                self._child = None

    def _not_started(self, error: OSError) -> RotatorError:
        if error.errno not in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR):
            return explain(error, "Terraform could not be started.") or TerraformError(str(error))
        if not self._root.is_dir():
            return TerraformError(
                f"the Terraform root {self._root} does not exist", why=str(error), fix="run `rotator render ENV` first"
            )
        return TerraformMissing(
            f"{self._binary} cannot be started",
            why=str(error),
            fix="install Terraform >= 1.10, or run `make terraform`",
        )

    def _look(self, cmd: str, *args: str, **options: Any) -> tuple[int, str, str]:
        """Run what changes nothing, with the kept provider; once more without, when that has died meanwhile."""
        kept = self._kept.environ() if self._kept is not None else {}
        try:
            return self._run(cmd, *args, environ=kept, **options)
        except TerraformError:
            if not kept or (self._kept is not None and self._kept.environ()):
                raise
        return self._run(cmd, *args, **options)

    def _run(self, cmd: str, *args: str, allowed: tuple[int, ...] = (0,), **options: Any) -> tuple[int, str, str]:
        code, out, err = self.cmd(cmd, *args, **options)
        if code not in allowed:
            raise self._error(cmd, code, out, err)
        return code, out, err

    def _error(self, cmd: str, code: int, out: str, err: str) -> TerraformError:
        found: tuple[Diagnostic, ...] = from_stream(out.splitlines()) + from_text(err)
        return to_error(Failure(cmd, self._root, code, found, err))

    def _announce_wait(self, line: str) -> None:
        happened = event(line)
        if happened is not None and happened.kind == LOCKING:
            self._on_wait(happened)


def _interrupted(cmd: str, finished: Finished) -> Interrupted:
    how = (
        "Terraform was killed on the second request: a state lock may be left, and the state may lack the last change"
        if finished.killed
        else "Terraform was given one SIGINT and ended by itself: the state is written and its lock is free"
    )
    return Interrupted(
        f"stopped on request during `terraform {cmd}`",
        why=how,
        fix="run the same command again: it resumes from the real state",
    )
