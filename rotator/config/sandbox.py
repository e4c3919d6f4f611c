"""Where the sandbox of an env listens: at the addresses of rotation.toml, or at those that the running sandbox chose.

The sandbox's folder is below the system's temporary folder. The env's `.rotator/sandbox.json` names it, and a marker
in the folder names the env: a copied env does not use another env's sandbox. Folder and files count only
if they are ours and nobody else can write to them: everybody can write to the temporary folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rotator.config.schema import DatabaseConfig, Env
from rotator.domain.env_files import SANDBOX_RECORD, WORK_FOLDER
from rotator.domain.errors import AwsError, Blocked
from rotator.host import trust

PREFIX = "rotator-sandbox-"
RECORD = Path(WORK_FOLDER) / SANDBOX_RECORD
OWNER, LOCK, LISTENS, KEY = "owner", "lock", "listens.json", "access-key.json"
SANDBOX_OF = "ROTATOR_SANDBOX_OF"
"""Names the folder of another env (of another clone) whose sandbox this one uses: for trials of a common journal."""
CANARY_PAGE = "/_sandbox/canary"
OWN_SERVICE = "sandbox"
"""The service that requests for a sandbox's own pages are signed for."""


@dataclass(frozen=True)
class Listens:
    """The addresses that a sandbox chose: the AWS's URL, and HOST:PORT of the DNS server.

    `authority`: certificate file that verifies its database servers; None: they have no TLS.
    """

    endpoint_url: str
    dns: str
    authority: str | None = None


@dataclass(frozen=True)
class AccessKey:
    """The key that a sandbox's AWS accepts: generated for each sandbox."""

    key_id: str
    secret: str = field(repr=False)


NO_KEY = AccessKey("none", "none")
"""For an env whose sandbox does not run: no AWS accepts it, and real credentials never reach a sandbox's address."""


class SandboxNotRunning(AwsError):
    """There is no sandbox for this env, and its rotation.toml pins no address."""

    code = "sandbox-not-running"


class SandboxFolderNotOurs(Blocked):
    """Where the env's record says that its sandbox is, somebody else can write."""

    code = "sandbox-folder-not-ours"


def located(env: Env) -> Env:
    """The env with its running sandbox's addresses where rotation.toml has none. Raises SandboxNotRunning.

    Envs of a real AWS are given as they are.
    """
    aws, dns, canary = env.config.aws, env.config.dns, env.config.canary
    if env.config.sandbox is None:
        return env
    found = listens(env)
    if found is None and not (aws.endpoint_url and dns.resolver):
        raise not_running(env)
    url = aws.endpoint_url or (found.endpoint_url if found else "")
    changed = {
        "aws": aws.model_copy(update={"endpoint_url": url}),
        "dns": dns.model_copy(update={"resolver": dns.resolver or (found.dns if found else "")}),
        "canary": canary.model_copy(update={"report_url": canary.report_url or f"{url}{CANARY_PAGE}"}),
        "database": _verified(env.config.database, found),
    }
    return env.model_copy(update={"config": env.config.model_copy(update=changed)})


def _verified(database: DatabaseConfig, found: Listens | None) -> DatabaseConfig:
    """With the sandbox's own authority instead of RDS's, unless rotation.toml sets another."""
    if found is None or "sslmode" in database.model_fields_set:
        return database
    if found.authority is None:
        return database.model_copy(update={"sslmode": "disable"})
    given = database.sslrootcert or found.authority
    return database.model_copy(update={"sslmode": "verify-full", "sslrootcert": given})


def not_running(env: Env) -> SandboxNotRunning:
    """The error for a command that needs the sandbox."""
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
        return Listens(**json.loads(trust.read_private(folder / LISTENS)))
    except FileNotFoundError:
        return None


def access_key(env: Env) -> AccessKey:
    """The key of the env's sandbox; NO_KEY when there is none."""
    folder = folder_of(env)
    try:
        return AccessKey(**json.loads(trust.read_private(folder / KEY))) if folder is not None else NO_KEY
    except FileNotFoundError:
        return NO_KEY


def folder_of(env: Env) -> Path | None:
    """The env's sandbox folder, if there is one: by the env's record, or by the marker in the folder.

    Raises SandboxFolderNotOurs when the record names a folder that others can write to. Other users' folders that only
    have the right name are passed over.
    """
    home = _home(env)
    for folder in _candidates(env, home):
        if _owner(folder) == str(home):
            return folder
    return None


def _home(env: Env) -> Path:
    """The env's folder; that of another clone where ROTATOR_SANDBOX_OF names it, to work with that one's sandbox."""
    named = os.environ.get(SANDBOX_OF)
    return Path(named).resolve() if named else env.path.resolve()


def lives(folder: Path) -> bool:
    """Whether a daemon holds the folder's lock."""
    try:
        descriptor = trust.open_private(folder / LOCK, os.O_RDWR)
    except OSError:
        return False  # there is none, or it is not ours: no daemon of ours holds it
    with os.fdopen(descriptor) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # two who ask do not meet
        except BlockingIOError:
            return True
    return False


def _candidates(env: Env, home: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # the marker in the folder says it too
        recorded = Path(json.loads((home / RECORD).read_text())["folder"])
        _refuse_strangers(env, recorded)
        yield recorded
    yield from sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def _refuse_strangers(env: Env, folder: Path) -> None:
    if os.path.lexists(folder) and not trust.private(folder):
        raise SandboxFolderNotOurs(
            f"The sandbox of env {env.name} is in a folder that is not yours.",
            why=f"{folder} is a link, belongs to another user, or can be written by others: it is not trusted.",
            fix=(
                "If another user runs this sandbox, that user stops it. "
                f"Else: rm {shlex.quote(str(env.path / RECORD))}, and start a new one."
            ),
        )


def _owner(folder: Path) -> str | None:
    """The env that a folder belongs to; a folder that others could have filled says nothing."""
    try:
        return trust.read_private(folder / OWNER) if trust.private(folder) else None
    except OSError:
        return None
