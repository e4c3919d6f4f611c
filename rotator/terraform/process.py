"""One Terraform process: its own session, output that cannot break it, one graceful signal.

Output goes to anonymous files and not to pipes: a driver that is killed would otherwise break the pipe, and a Go
program dies of SIGPIPE on its standard output, in the middle of an apply, without writing the state.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rotator.domain.errors import Interrupted

OnLine = Callable[[str], None]

TICK = 0.1
"""Seconds between two looks at the output of a running child; its end is noticed at once."""


@dataclass(frozen=True)
class Finished:
    """A child that ended: exit code (negative: the signal), both outputs, and whether somebody asked it to stop."""

    code: int
    out: str
    err: str
    interrupted: bool = False
    killed: bool = False


class Child:
    """One running command in a session of its own, so that a terminal's Ctrl-C reaches it only through us.

    It, and all that it starts, keep the descriptors in `inherits` open.
    """

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], inherits: Sequence[int] = ()) -> None:
        self._out, self._err = _sink(), _sink()
        self._requests = 0
        self._ended = threading.Event()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._err,
                start_new_session=True,
                pass_fds=tuple(inherits),
            )
        except OSError:
            self._close()
            raise
        threading.Thread(target=self._reap, name="terraform-reaper", daemon=True).start()

    def interrupt(self) -> None:
        """First call: one SIGINT, on which Terraform ends gracefully (state written, lock freed). Second: kill.

        May be called from any thread.
        """
        self._requests += 1
        if self._ended.is_set():
            return
        if self._requests == 1:
            self._process.send_signal(signal.SIGINT)
        else:
            # The whole session: its provider and provisioner processes would otherwise live on.
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, on_line: OnLine | None = None) -> Finished:
        """Wait for the end, handing each line of standard output to `on_line`.

        KeyboardInterrupt (or Interrupted, from a caller's signal handler) becomes `interrupt()`, and waiting goes on:
        the caller reads it in `Finished`. An error in `on_line` is raised after the end: a progress display that breaks
        must not break an apply.
        """
        reader = _LineReader(self._out, on_line)
        try:
            self._follow(reader)
            reader.finish()
            return Finished(
                self._process.returncode, _text(self._out), _text(self._err), self._requests > 0, self._requests > 1
            )
        finally:
            self._close()

    def _follow(self, reader: _LineReader) -> None:
        """Read until the end, turning each request to stop into `interrupt()`."""
        while True:
            try:
                while not self._ended.wait(TICK):
                    reader.read()
                return
            except (KeyboardInterrupt, Interrupted):
                self.interrupt()

    def _reap(self) -> None:
        self._process.wait()
        self._ended.set()

    def _close(self) -> None:
        os.close(self._out)
        os.close(self._err)


class _LineReader:
    """Complete lines of a file that somebody else appends to; remembers the first error of the consumer."""

    def __init__(self, descriptor: int, on_line: OnLine | None) -> None:
        self._descriptor = descriptor
        self._on_line = on_line
        self._offset = 0
        self._rest = b""
        self._error: Exception | None = None

    def read(self) -> None:
        if self._on_line is None:
            return
        # pread leaves the offset alone, which the child shares with us.
        while chunk := os.pread(self._descriptor, 1 << 16, self._offset):
            self._offset += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._give(line)

    def finish(self) -> None:
        """Give what is left, then raise what the consumer raised."""
        self.read()
        if self._rest:
            self._give(self._rest)
        if self._error is not None:
            raise self._error

    def _give(self, line: bytes) -> None:
        if self._on_line is None or self._error is not None:
            return
        try:
            self._on_line(line.decode("utf-8", errors="replace"))
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - kept, and raised by finish()
            self._error = error


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Inside, SIGTERM raises KeyboardInterrupt, as Ctrl-C does.

    Only in the main thread (Python gives signals to no other) and only where nobody else handles SIGTERM.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _sink() -> int:
    """A file without a name: in memory where the system can, so that a plan's values touch no disk; else unlinked."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("terraform-output")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _text(descriptor: int) -> str:
    chunks: list[bytes] = []
    offset = 0
    while chunk := os.pread(descriptor, 1 << 20, offset):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks).decode("utf-8", errors="replace")
