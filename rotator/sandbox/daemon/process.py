"""The sandbox's daemon: holds the local AWS until it is told to stop.

Run as `python -m rotator.sandbox.daemon.process ENV_FOLDER`.

Progress goes to the descriptor that --report-fd names, as lines of JSON ({"progress"}, {"ready"} or {"failed"}); else
to standard output.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from rotator.config.load import load_env
from rotator.config.schema import Env
from rotator.domain.errors import RotatorError
from rotator.sandbox import world
from rotator.sandbox.aws import moto_view, patches
from rotator.sandbox.aws import server as aws_server
from rotator.sandbox.aws.calls import Calls
from rotator.sandbox.aws.timeline import Durations
from rotator.sandbox.canary import process as canary
from rotator.sandbox.daemon import home, status
from rotator.sandbox.daemon.endpoints import Endpoints, endpoints
from rotator.sandbox.daemon.home import Home
from rotator.sandbox.dns import server as dns_server
from rotator.sandbox.dns.names import Names
from rotator.sandbox.interface import Canary, CanarySettings, Fleet, Progress
from rotator.sandbox.postgres import seed
from rotator.sandbox.postgres.config import is_superuser
from rotator.sandbox.postgres.fleet import open_fleet

LOG = logging.getLogger("rotator.sandbox")
Report = Callable[[Mapping[str, Any]], None]


class Daemon:
    """One local AWS in this process: servers first, then the world in them."""

    def __init__(self, env: Env, where: Endpoints, place: Home, progress: Progress) -> None:
        self._env = env
        self._where = where
        self._place = place
        self._progress = progress
        self._stop = threading.Event()
        self._canary: Canary | None = None
        self._key = place.draw_key()
        self._calls = Calls()

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, report it, and run until a signal or POST /_sandbox/down. Raises RotatorError."""
        with ExitStack() as stack:
            region = self._where.region
            fleet = open_fleet(self._place.fleet, lambda name: (moto_view.endpoint_name(name, region),))
            stack.callback(fleet.close)
            context = patches.Context(fleet, time.monotonic, Durations.of(self._where.sandbox))
            stack.enter_context(patches.installed(patches.PATCHES, context))
            self._listen(stack, fleet)
            self._build(stack, fleet)
            self._calls.clear()  # what is counted is what comes from outside
            ready()
            self._stop.wait()
            LOG.info("stopping")

    def _listen(self, stack: ExitStack, fleet: Fleet) -> None:
        where = self._where
        names = Names(moto_view.entries, lambda: moto_view.endpoints(where.region, fleet))
        dns = dns_server.serve(where.dns_host, where.dns_port, names.lookup)
        stack.callback(dns.close)
        pages: aws_server.Pages = {
            ("GET", "status"): lambda: status.running(self._where, self._place, fleet, self._report()).to_json(),
            ("GET", "canary"): self._report,
            ("GET", "calls"): self._calls.to_json,
            ("POST", "down"): self._ask_to_stop,
        }
        aws = aws_server.serve(where.host, where.port, pages, self._key, self._calls)
        stack.callback(aws.close)
        self._where = where.chosen(aws.port, dns.port)
        certificate = fleet.certificate()
        self._place.note(replace(self._where.listens, authority=str(certificate) if certificate else None))

    def _build(self, stack: ExitStack, fleet: Fleet) -> None:
        clients = world.clients(self._where, self._key)
        made = world.build(self._env, clients, fleet.version(), secrets.token_hex(16), self._progress)
        if is_superuser(int(fleet.version().split(".")[0])):
            self._progress(f"PostgreSQL {fleet.version()}: the master user is a superuser here, which it is not on RDS")
        if fleet.certificate() is None:
            self._progress(f"PostgreSQL {fleet.version()}: built without TLS, so that connections are in clear here")
        settings = self._where.sandbox
        found = {each.identifier: each for each in moto_view.servers(self._where.region, fleet)}
        server = found[made.identifier]
        seed.load(server.login, settings.seed_mb, self._progress)
        if settings.writers:
            self._progress(f"starting {settings.writers} writers")
            login = replace(server.login, host=made.record)
            self._canary = canary.start(
                CanarySettings(login, self._where.dns, settings.writers, settings.writes_per_second, self._place.canary)
            )
            stack.callback(self._canary.close)

    def _report(self) -> Mapping[str, Any]:
        if self._canary is None:
            return {
                "attempted": 0,
                "acknowledged": 0,
                "lost": 0,
                "doubled": 0,
                "longest_pause_seconds": 0,
                "writers": 0,
            }
        return self._canary.report()

    def _ask_to_stop(self) -> Mapping[str, Any]:
        self._stop.set()
        return {"stopping": True}


def main(arguments: Sequence[str] | None = None) -> int:
    """The process's entry; gives the exit code."""
    parser = argparse.ArgumentParser(prog="rotator.sandbox.daemon.process", description="Run the local AWS of one env.")
    parser.add_argument("env", type=Path, help="folder of the env, such as envs/local")
    parser.add_argument("--report-fd", type=int, help="descriptor for progress, as lines of JSON")
    options = parser.parse_args(arguments)
    os.umask(0o077)  # logs and counts are nobody else's; what the servers' user needs is opened to it by name
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop_at_once)
    report = _reporter(options.report_fd)
    try:
        folder = options.env.resolve()
        env = load_env(folder.parent.parent, folder.name)
        where = endpoints(env)
        place = home.find(env) or home.make(env)
        with place.occupied():
            Daemon(env, where, place, lambda text: report({"progress": text})).run(lambda: report({"ready": True}))
    except RotatorError as error:
        LOG.error("%s (%s)", error.what, error.why)
        report({"failed": _as_json(error)})
        return int(error.exit_code)
    return 0


def _as_json(error: RotatorError) -> Mapping[str, Any]:
    return {
        "what": error.what,
        "why": error.why,
        "fix": error.fix,
        "details": list(error.details),
        "code": error.code,
    }


def _stop_at_once(number: int, _frame: object) -> NoReturn:
    """Unwind everything that is open; further signals do not disturb that."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(0)


def _reporter(descriptor: int | None) -> Report:
    if descriptor is None:
        return lambda message: print(json.dumps(message), flush=True)
    os.set_inheritable(descriptor, False)  # no server may keep it open
    lines = os.fdopen(descriptor, "w", buffering=1)

    def report(message: Mapping[str, Any]) -> None:
        try:
            lines.write(json.dumps(message) + "\n")
        except BrokenPipeError:
            LOG.info("nobody listens any more: %s", sorted(message))
        if "ready" in message or "failed" in message:
            lines.close()

    return report


if __name__ == "__main__":
    sys.exit(main())
