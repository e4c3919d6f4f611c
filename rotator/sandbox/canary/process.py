"""The write canary: clients of the database that notice every lost or doubled write.

Its writers share the rate that is asked for. Beside them slow ones keep transactions open for seconds, so that some are
open at any moment: at that of a snapshot, of a fence, of a flip.

`start` runs it as a process of its own, `python -m rotator.sandbox.canary.process FOLDER`. What it needs to know, the
password among it, comes as one line of JSON through its standard input, which also is its lifeline: when the other end
is closed, by `close` or because the sandbox died, it ends.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rotator.network.resolver import ClientResolver
from rotator.sandbox.canary import report as canary_report
from rotator.sandbox.canary.dns import CachingResolver
from rotator.sandbox.canary.report import CanaryReport
from rotator.sandbox.canary.tally import FIRST_SLOW, Tally
from rotator.sandbox.canary.writer import LONG_SECONDS, Pace, Writer
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import CanarySettings, Login
from rotator.sandbox.postgres import processes

READY = "ready"
CLOSE_SECONDS = 15.0
SLOW_WRITERS = 2


class Canary:
    """A running (or ended) canary process; implements rotator.sandbox.interface.Canary."""

    def __init__(self, settings: CanarySettings, process: subprocess.Popen[bytes]) -> None:
        self._settings = settings
        self._process = process
        self._tally = Tally(settings.folder)

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process.poll() is None

    def report(self) -> Mapping[str, Any]:
        """See canary_report.CanaryReport."""
        return self.full_report().as_json()

    def full_report(self) -> CanaryReport:
        """Counts now, also while the writers write."""
        return canary_report.report(self._settings, self._tally, running=self.running)

    def close(self) -> None:
        """Let the writers finish their transactions, and wait for the end; idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start(settings: CanarySettings, slow_writers: int = SLOW_WRITERS) -> Canary:
    """Start it and wait for its writers; with an earlier log in the folder the numbers go on. Raises SandboxError.

    `slow_writers` come on top of the settings' writers and of their rate.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    ready = settings.folder / READY
    ready.unlink(missing_ok=True)
    output = settings.folder / "canary.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rotator.sandbox.canary.process", str(settings.folder), str(slow_writers)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    canary = Canary(settings, process)
    assert process.stdin is not None
    try:
        process.stdin.write(_to_line(settings))
        process.stdin.flush()
        processes.wait_until(lambda: ready.exists() or not canary.running, 30.0, "the write canary does not start")
    except (BrokenPipeError, SandboxError):
        canary.close()
    if not ready.exists():
        tail = tuple(output.read_text(errors="replace").splitlines()[-5:])
        raise SandboxError("the write canary does not start", details=tail)
    return canary


def main() -> None:
    """The canary's own process."""
    folder = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = _from_line(sys.stdin.readline(), folder)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_watch_lifeline, args=(stop,), name="lifeline", daemon=True).start()
    threads = [
        threading.Thread(target=_run, args=(writer, stop), name=f"writer-{writer.number}")
        for writer in _writers(settings, int(sys.argv[2]), stop)
    ]
    for thread in threads:
        thread.start()
        stop.wait(1 / settings.writes_per_second)  # spread over the interval
    (folder / READY).touch()
    stop.wait()
    for thread in threads:
        thread.join()


def _writers(settings: CanarySettings, slow_writers: int, stop: threading.Event) -> list[Writer]:
    quick = Pace(settings.writers / settings.writes_per_second)
    slow = Pace(0.0, LONG_SECONDS)
    paces = dict.fromkeys(range(1, settings.writers + 1), quick)
    paces |= dict.fromkeys(range(FIRST_SLOW, FIRST_SLOW + slow_writers), slow)
    return [
        Writer(number, settings, CachingResolver(ClientResolver(settings.resolver)), pace, stop)  # each its own cache
        for number, pace in paces.items()
    ]


def _run(writer: Writer, stop: threading.Event) -> None:
    """A writer that dies of a bug ends the canary: without that writer its report would prove nothing."""
    try:
        writer.run()
    finally:
        stop.set()


def _watch_lifeline(stop: threading.Event) -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock, held by this thread, would break the interpreter's shutdown
        pass
    stop.set()


def _to_line(settings: CanarySettings) -> bytes:
    return (json.dumps(asdict(settings), default=str) + "\n").encode()


def _from_line(line: str, folder: Path) -> CanarySettings:
    fields = json.loads(line)
    return CanarySettings(**{**fields, "login": Login(**fields["login"]), "folder": folder})


if __name__ == "__main__":
    main()
