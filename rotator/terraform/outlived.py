"""Whether an apply of an earlier run is still at work, although its driver, or Terraform itself, is dead.

Terraform's own lock goes with Terraform. What it has started may live on, and goes on with what it was told. So every
apply inherits an open, locked file, and hands it on to the provider: the kernel frees the lock with the last process
that has it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rotator.domain.errors import TerraformStateLocked
from rotator.terraform.interface import ApplyEvent, OnEvent
from rotator.terraform.stream import LOCKING

_FILE = "apply.lock"
_TICK = 0.2


class ApplyLock:
    """The lock of one root's applies."""

    def __init__(self, folder: Path, timeout_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / _FILE
        self._timeout = timeout_seconds
        self._clock = clock

    @contextmanager
    def held(self, on_wait: OnEvent) -> Iterator[int]:
        """The locked descriptor, for a child to inherit. It is closed here, never unlocked: others may live on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(descriptor, on_wait)
            yield descriptor
        finally:
            os.close(descriptor)

    def is_free(self) -> bool:
        """Whether no process of an earlier apply is alive."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def wait(self, on_wait: OnEvent) -> None:
        """Return once no process of an earlier apply is alive. Raises TerraformStateLocked after the timeout."""
        if not self.is_free():
            with self.held(on_wait):
                pass

    def _take(self, descriptor: int, on_wait: OnEvent) -> None:
        deadline, told = self._clock() + self._timeout, False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock() >= deadline:
                    raise self._still_there() from None
                if not told:
                    on_wait(ApplyEvent(LOCKING, "", "", 0, "an apply of an earlier run is still at work"))
                    told = True
                time.sleep(_TICK)
            else:
                return

    def _still_there(self) -> TerraformStateLocked:
        return TerraformStateLocked(
            "an apply of an earlier run is still at work",
            why="Terraform, or its provider, has outlived the run that started it; what it does may take effect yet",
            fix=f"wait, and run the same command again; `fuser {self._path}` names its processes",
            code="apply-outlived",
        )
