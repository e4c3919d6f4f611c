"""Which store an env's journal is in, and who takes its lease."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rotator.aws.session import Aws
from rotator.config.rules import prefix_of
from rotator.config.schema import Env
from rotator.host.started import place
from rotator.host.uptime import uptime
from rotator.journal.lease import Owner
from rotator.journal.local import LocalStore
from rotator.journal.s3 import S3Store
from rotator.journal.store import Store

_RUNS: tuple[Callable[[Mapping[str, str]], str | None], ...] = (
    lambda e: _joined(e, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "actions/runs", "GITHUB_RUN_ID"),
    lambda e: e.get("CI_JOB_URL"),
    lambda e: e.get("BUILDKITE_BUILD_URL"),
    lambda e: e.get("CIRCLE_BUILD_URL"),
    lambda e: e.get("BUILD_URL"),
)
"""Where CI says which of its runs this is: GitHub Actions, GitLab, Buildkite, CircleCI, Jenkins."""


class _Uptime:
    """Implements journal.held.Clock."""

    def uptime(self) -> float:
        return uptime()

    def wait(self, seconds: float) -> None:
        threading.Event().wait(seconds)


def store_of(env: Env, aws: Aws, on_wait: Callable[[str], None]) -> Store:
    """The env's store, as [journal] names it. `on_wait` is told while a lease is waited for."""
    journal = env.config.journal
    if journal.s3 is None:
        return LocalStore(env.path)
    folder = f"{prefix_of(journal.s3)}/{env.name}"
    return S3Store(aws.objects(journal), folder, owner, _Uptime(), journal.lease_seconds, on_wait)


def owner(verb: str) -> Owner:
    """What the lease of this process says of it."""
    since = datetime.now(UTC).isoformat("T", "seconds")
    run = next((found for look in _RUNS if (found := look(os.environ))), "")
    return Owner(verb, place(), os.getpid(), since, run)


def _joined(environ: Mapping[str, str], *parts: str) -> str | None:
    """A URL of variables' values and of words, when all variables are there."""
    found = [environ.get(part) if part.isupper() else part for part in parts]
    return "/".join(each for each in found if each) if all(found) else None
