"""`rotator sandbox up | status | down | env` as plain functions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rotator.aws.signing import signed_headers
from rotator.config.sandbox import OWN_SERVICE, access_key, listens, not_running
from rotator.config.schema import Env
from rotator.sandbox.daemon import home
from rotator.sandbox.daemon.endpoints import endpoints, exports
from rotator.sandbox.daemon.home import Home
from rotator.sandbox.daemon.status import SandboxStatus, stopped
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import Progress
from rotator.sandbox.postgres import fleet, processes

__all__ = ["Gone", "SandboxStatus", "calls", "canary", "down", "exports", "render", "render_down", "status", "up"]

DAEMON = "rotator.sandbox.daemon.process"
STOP_SECONDS = 60.0
KILL_SECONDS = 20.0
REQUEST_SECONDS = 60.0  # longer than the canary looks (canary_checks.LOOK_SECONDS)
DYING_SECONDS = 2.0


@dataclass(frozen=True)
class Gone:
    """Result of `down`: whether a sandbox ran, the number of killed orphans, the removed files of the env."""

    was_running: bool
    killed: int
    removed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """One object."""
        return {"running": False, "was_running": self.was_running, "killed": self.killed, "removed": [*self.removed]}


def up(env: Env, progress: Progress = lambda text: None) -> SandboxStatus:
    """Start the env's sandbox and wait until it is ready; a running one is only described.

    Remains of a killed one are removed first. On failure it stops all processes and raises SandboxError.
    """
    endpoints(env)  # what is wrong with them is said before anything is removed
    with home.one_at_a_time(env):
        place = home.find(env)
        there = _living(env, place)
        if there is not None:
            progress("the sandbox runs already")
            return there
        left = _clear(env, place)
        if left.removed:
            progress(f"removed remains of an earlier sandbox: {', '.join(left.removed)}")
        return _start(env, progress)


def status(env: Env) -> SandboxStatus:
    """The sandbox's status; `running` is False if none runs. Raises SandboxError if it runs and does not answer."""
    where = endpoints(env)
    return _living(env, home.find(env)) or stopped(where)


def down(env: Env) -> Gone:
    """Stop the sandbox and remove its processes, its folder and the env's files about it; idempotent.

    Works without a running daemon too: it finds remains of a killed one by the sandbox's folder.
    """
    with home.one_at_a_time(env):
        return _clear(env, home.find(env))


def canary(env: Env) -> Mapping[str, Any]:
    """The write canary's report. Raises SandboxNotRunning."""
    if not status(env).running:
        raise not_running(env)
    return _get(env, "canary")


def calls(env: Env) -> Mapping[str, Mapping[str, int]]:
    """Which AWS operations were asked of it since it was ready (see calls.py). Raises SandboxError."""
    return _get(env, "calls")


def render(found: SandboxStatus) -> str:
    """A status for people."""
    if not found.running:
        return "the sandbox does not run"
    lines = [f"AWS  {found.endpoint_url} ({found.region})", f"DNS  {found.dns}"]
    lines += [
        f"{each.identifier}  {each.endpoint} = {each.address}:{each.port}\n  {each.dsn}" for each in found.instances
    ]
    numbers = ", ".join(f"{found.canary.get(key, 0)} {key}" for key in ("acknowledged", "lost", "doubled"))
    return "\n".join([*lines, f"writers  {found.canary.get('writers', 0)}: {numbers}"])


def render_down(gone: Gone) -> str:
    """Result of `down`, for people."""
    first = "stopped" if gone.was_running else "the sandbox did not run"
    orphans = f", {gone.killed} orphaned processes killed" if gone.killed else ""
    files = f"; removed {', '.join(gone.removed)}" if gone.removed else ""
    return first + orphans + files


def _start(env: Env, progress: Progress) -> SandboxStatus:
    place = home.make(env)
    started = False
    try:
        with _launched(env, place) as messages:
            for message in messages:
                if "failed" in message:
                    raise SandboxError(**{**message["failed"], "details": tuple(message["failed"]["details"])})
                if "progress" in message:
                    progress(message["progress"])
                started = started or "ready" in message
        if not started:
            raise SandboxError("the sandbox died while it started", details=place.log_tail())
        return _ask(env)
    except BaseException:
        _clear(env, place)
        raise


@contextmanager
def _launched(env: Env, place: Home) -> Iterator[Iterator[dict[str, Any]]]:
    """The daemon, detached; what it says until it is ready, has failed or is dead (its end of the pipe closes)."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines, place.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                # -P: a module in the current folder is not ours, whatever its name
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "rotator.sandbox.daemon.process",
                    str(env.path.resolve()),
                    "--report-fd",
                    str(writing),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        yield (json.loads(line) for line in lines)
        process.poll()
        process.returncode = process.returncode or 0  # it lives on by itself: no warning that it was left


def _clear(env: Env, place: Home | None) -> Gone:
    pid = place.daemon() if place is not None else None
    killed = 0
    if place is not None:
        if pid is not None:
            _stop(place, pid)
        killed = fleet.sweep(place.fleet) + _end_others(place)
        home.remove(place)
    return Gone(pid is not None, killed, home.forget_world(env))


def _stop(place: Home, pid: int) -> None:
    processes.send(signal.SIGTERM, [pid])
    try:
        processes.wait_until(lambda: _ended(place, pid), STOP_SECONDS, "the sandbox does not stop")
    except SandboxError:
        processes.send(signal.SIGKILL, [pid])
        processes.wait_until(lambda: _ended(place, pid), KILL_SECONDS, "the sandbox cannot be killed")


def _ended(place: Home, pid: int) -> bool:
    processes.reap(pid)
    return place.daemon() is None and not processes.alive(pid)


def _end_others(place: Home) -> int:
    """Kill what else was started with the folder in its arguments (the canary, when the daemon could not stop it)."""
    others = place.others()
    for pid in others:
        processes.kill(pid)
    return len(others)


def _living(env: Env, place: Home | None) -> SandboxStatus | None:
    """The running daemon's answer; None if there is none, or if it died during the request."""
    if place is None or place.daemon() is None:
        return None
    try:
        return _ask(env)
    except SandboxError as unanswered:
        try:  # a process that is killed closes its sockets a moment before its lock is free
            processes.wait_until(lambda: place.daemon() is None, DYING_SECONDS, "the sandbox's daemon is alive")
        except SandboxError:
            raise unanswered from None
        return None


def _ask(env: Env) -> SandboxStatus:
    return SandboxStatus.from_json(_get(env, "status"))


def _get(env: Env, page: str) -> dict[str, Any]:
    where = listens(env)
    if where is None:
        raise SandboxError(
            f"the sandbox of env {env.name} does not answer",
            why="it is still starting, or it has just ended",
            fix=f"rotator sandbox up {env.name} (it waits until it is ready)",
        )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy between us and ourselves
    url = f"{where.endpoint_url}/_sandbox/{page}"
    key = access_key(env)
    asked = urllib.request.Request(url, headers=dict(signed_headers(url, (key.key_id, key.secret), OWN_SERVICE)))  # noqa: S310
    try:
        with direct.open(asked, timeout=REQUEST_SECONDS) as answer:
            document: dict[str, Any] = json.load(answer)
            return document
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SandboxError(
            f"the sandbox at {where.endpoint_url} does not answer",
            why=str(error),
            fix=f"wait until it is up; or start a new one, which deletes its databases, state and journal: "
            f"rotator sandbox down {env.name}, then up",
        ) from error
