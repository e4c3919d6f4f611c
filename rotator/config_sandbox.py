"""Where the sandbox of an env listens: what rotation.toml pins, and for the rest what the running sandbox chose.

The sandbox's folder lies below the system's temporary folder. The env's `.rotator/sandbox.json` names it, and a marker
in the folder names the env: a copied env does not take another one's sandbox for its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rotator.config import Env
from rotator.errors import AwsError

PREFIX = "rotator-sandbox-"
RECORD = Path(".rotator") / "sandbox.json"
OWNER, LOCK, LISTENS = "owner", "lock", "listens.json"
CANARY_PAGE = "/_sandbox/canary"


@dataclass(frozen=True)
class Listens:
    """The addresses that a sandbox chose: the AWS's URL, and HOST:PORT of the DNS server."""

    endpoint_url: str
    dns: str


class SandboxNotRunning(AwsError):
    """There is no sandbox for this env, and its rotation.toml pins no address."""

    code = "sandbox-not-running"


def located(env: Env) -> Env:
    """The env with its running sandbox's addresses where rotation.toml has none. Raises SandboxNotRunning.

    Envs of a real AWS, and those that pin all addresses, are given as they are.
    """
    aws, dns, canary = env.config.aws, env.config.dns, env.config.canary
    if env.config.sandbox is None or (aws.endpoint_url and dns.resolver and canary.report_url):
        return env
    found = listens(env)
    if found is None and not (aws.endpoint_url and dns.resolver):
        raise not_running(env)
    url = aws.endpoint_url or (found.endpoint_url if found else "")
    changed = {
        "aws": aws.model_copy(update={"endpoint_url": url}),
        "dns": dns.model_copy(update={"resolver": dns.resolver or (found.dns if found else "")}),
        "canary": canary.model_copy(update={"report_url": canary.report_url or f"{url}{CANARY_PAGE}"}),
    }
    return env.model_copy(update={"config": env.config.model_copy(update=changed)})


def not_running(env: Env) -> SandboxNotRunning:
    """The error for who needs it."""
    return SandboxNotRunning(
        f"The sandbox of env {env.name} does not run.",
        why="Its AWS and its DNS server choose their ports when they start.",
        fix=f"rotator sandbox up {env.name}",
    )


def listens(env: Env) -> Listens | None:
    """Where the env's living sandbox listens; None when none lives, or when it is still starting."""
    folder = folder_of(env)
    if folder is None or not lives(folder):
        return None
    try:
        return Listens(**json.loads((folder / LISTENS).read_text()))
    except FileNotFoundError:
        return None


def folder_of(env: Env) -> Path | None:
    """The env's sandbox folder, if there is one: by the env's record, or by the marker in the folder."""
    for folder in _candidates(env):
        if _owner(folder) == str(env.path.resolve()):
            return folder
    return None


def lives(folder: Path) -> bool:
    """Whether a daemon holds the folder's lock."""
    if not (folder / LOCK).exists():
        return False
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # two who ask do not meet
        except BlockingIOError:
            return True
    return False


def _candidates(env: Env) -> Iterator[Path]:
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # the marker in the folder says it too
        yield Path(json.loads((env.path / RECORD).read_text())["folder"])
    yield from sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def _owner(folder: Path) -> str | None:
    """The env that a folder belongs to; another user's folder says nothing."""
    try:
        return (folder / OWNER).read_text() if folder.stat().st_uid == os.geteuid() else None
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
