"""The one error boundary: every error becomes one clear message and a documented exit code, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from types import FrameType

import click

from rotator.crash import crash_text, message
from rotator.domain.errors import ExitCode, Interrupted, RotatorError
from rotator.host.machine import explain
from rotator.host.started import typed
from rotator.report.errors import error_json, render_error
from rotator.report.pipes import put


def run(work: Callable[[], None], *, as_json: bool, env: str | None = None) -> None:
    """Run a verb (of that env); leave the process with its exit code when it fails."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and means it
            signal.signal(number, _interrupt)
    try:
        work()
    except RotatorError as error:
        _leave(error, as_json, env)
    except (KeyboardInterrupt, click.Abort):
        _leave(
            Interrupted("Interrupted.", fix="Run the same command again: it resumes from the real state."),
            as_json,
            env,
        )
    except OSError as fault:
        _leave(explain(fault) or _bug(fault), as_json, env)
    except Exception as fault:  # noqa: BLE001 - the boundary: a bug becomes a crash file
        _leave(_bug(fault), as_json, env)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave(error: RotatorError, as_json: bool, env: str | None) -> None:
    told = typed(env)
    if as_json:
        put(sys.stdout, json.dumps(told.deep(error_json(error)), indent=2) + "\n")
    put(sys.stderr, render_error(error, told.say, on_terminal=_is_read_by_a_person() and not as_json))
    raise SystemExit(int(error.exit_code))


def _bug(fault: Exception) -> RotatorError:
    file = _crash_file(crash_text(fault))
    error = RotatorError(
        f"A bug in rotator: {type(fault).__name__}.",
        why=message(fault) or "No message.",
        fix=f"The journal keeps what was done; run `rotator status` first. Please report {file}.",
        code="bug",
    )
    error.exit_code = ExitCode.BUG
    return error


def _crash_file(text: str) -> str:
    """Its name, for the message; a full disk must not hide the fault itself."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="rotator-crash-", suffix=".txt", delete=False) as file:
            file.write(text)
    except OSError as fault:
        return f"this message (a crash file could not be written: {fault.strerror})"
    return f"{file.name} (without values and secrets, for this user alone)"


def _is_read_by_a_person() -> bool:
    """Keys of rows are for eyes at a terminal: what a CI keeps is read by many, for long."""
    return sys.stderr.isatty() and not os.environ.get("CI")
