"""The only place that builds clients, stores, runners and reporters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.aws.managed import ManagedLogins, is_managed
from rotator.aws.session import Aws
from rotator.aws.signing import signed_headers
from rotator.commands.services import Services
from rotator.config.ca_bundle import bundle, doubts, trusted
from rotator.config.load import load_env
from rotator.config.sandbox import CANARY_PAGE, OWN_SERVICE, access_key, located
from rotator.config.schema import Env
from rotator.database.channel import Channel
from rotator.database.engines import ENGINES, serving
from rotator.database.interface import DatabaseOpener, DatabaseServer
from rotator.database.opener import Login, Opener, OwnLogin
from rotator.domain.aws import Deployment
from rotator.domain.env_files import CONFIG_FILE, PRIVATE_FOLDER, WORK_FOLDER
from rotator.domain.errors import Blocked, ConfigError, UsageError
from rotator.domain.naming import base_identifier
from rotator.host.clock import SystemClock
from rotator.host.files import for_owner_alone
from rotator.host.started import typed
from rotator.journal.local import LocalStore, local_keeper
from rotator.network.canary import fetch_report
from rotator.network.resolver import ClientResolver
from rotator.report.live.choose import open_reporter
from rotator.report.live.pulse import pulse
from rotator.report.spoken import SpokenReporter
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env
from rotator.terraform.provider import KeptProvider
from rotator.terraform.render import check_root
from rotator.terraform.runner import TerraformRunner
from rotator.terraform.stages import TerraformStages


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds envs/; ROTATOR_PROJECT names another. Raises UsageError."""
    named = os.environ.get("ROTATOR_PROJECT")
    if named:
        return Path(named).resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "envs").is_dir():
            return folder
    raise UsageError(
        f"There is no envs/ in {here} or above.",
        why="rotator works in a project folder: envs/<env>/rotation.toml, modules/.",
        fix="Change into the project's folder, or set ROTATOR_PROJECT to it.",
        code="no-project",
    )


def load(name: str) -> Env:
    """The env of that name in this project."""
    return load_env(project_root(), name)


def refuse_differing(env: Env, differing: tuple[str, ...]) -> None:
    """Raise Blocked when files of a root are not as rendered."""
    if differing:
        raise Blocked(
            f"{len(differing)} files of {env.path} differ from what the templates give.",
            why="They were changed by hand, or rotation.toml or the templates have changed since.",
            fix=f"rotator render {env.name}",
            details=differing,
            code="render-differs",
        )


def environment(env: Env) -> dict[str, str]:
    """The process's environment as clients of this env's AWS shall see it."""
    found = dict(os.environ)
    if env.config.sandbox is not None:
        # The sandbox's own key alone: real credentials never reach one, nor its key a real AWS.
        key = access_key(env)
        others = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
        found = {k: v for k, v in found.items() if v and k not in others}
        found |= {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}
    return found


def _credentials(env: Env) -> tuple[str, str] | None:
    if env.config.sandbox is None:
        return None
    key = access_key(env)
    return key.key_id, key.secret


@contextmanager
def workbench(name: str, verb: str, *, as_json: bool, locked: bool) -> Iterator[Services]:
    """Everything `verb` needs; with `locked`, the env is held until the end (I7).

    Meanwhile all that is written is for this user alone: Terraform's state and plans have values of the database too.
    """
    env = load(name)
    # What these verbs print is their result: progress goes to stderr.
    quiet = as_json or verb in ("plan", "status")
    with for_owner_alone(), ExitStack() as stack:
        if not locked:
            yield _workbench(env, quiet, stack, derive=False)
            return
        with LocalStore(env.path).lock(verb):
            yield _workbench(env, quiet, stack, derive=True)


def _workbench(given: Env, quiet: bool, stack: ExitStack, *, derive: bool) -> Services:
    env = located(given)
    project = project_root()
    work = env.path / WORK_FOLDER
    environ = environment(env)
    aws = Aws(env.config.aws, _credentials(env))
    asked = env.config.dns.resolver
    resolver = ClientResolver(None if asked == "none" else asked)
    _refuse_without_password(env, environ, asked=derive)
    if derive and env.config.database.access == "direct":
        trusted(env)
    with pulse(sys.stderr, "looking for Terraform"):
        binary = find_terraform(env.config.terraform.binary, project, environ)
    reporter = SpokenReporter(
        open_reporter(sys.stdout, sys.stderr, as_json=quiet, environ=environ), typed(env.name).say
    )
    outer = terraform_env(env.config, project / WORK_FOLDER, environ)
    terraform = TerraformRunner(
        env.path,
        binary,
        outer,
        kept=KeptProvider(env.path, outer, enabled=env.config.terraform.keep_provider),
        on_wait=lambda event: reporter.note(f"waiting for Terraform's state lock: {event.message}"),
    )
    stack.callback(terraform.close)
    store = LocalStore(env.path)
    keeper = local_keeper(env.name, env.path, project / WORK_FOLDER / PRIVATE_FOLDER / env.name)
    if derive:
        store.narrow()
        keeper.take_up()
    return Services(
        env=env,
        keeper=keeper,
        rds=aws.rds,
        kms=aws.kms,
        key_uses=aws.key_uses,
        dns=aws.dns,
        identity=aws.identity,
        resolver=resolver,
        databases=_databases(env, aws, resolver, environ) if env.config.database.access == "direct" else None,
        stages=TerraformStages(terraform, work, lambda: check_root(env)),
        reporter=reporter,
        clock=SystemClock(),
        canary=_canary(env),
        waiting=lambda text: pulse(sys.stderr, text),
        holder=store.holder,
    )


@dataclass
class LazyDatabases:
    """Logs in when first asked: preflight must be able to say what is wrong with AWS before a secret is fetched."""

    login: Callable[[], Login]
    resolver: ClientResolver
    env: Env
    pinned: bool = False
    own_login: OwnLogin | None = None
    _opener: Opener | None = None

    def at(self, host: str, port: int, *, address: str | None = None) -> DatabaseServer:
        """Server at `host`."""
        return self._logged_in().at(host, port, address=address)

    def speaks(self, engine: str) -> bool:
        """Whether there is an engine for it."""
        return serving(engine) is not None

    def doubts(self, authority: str | None) -> tuple[str, ...]:
        """What is doubtful in the env's certificates."""
        found = bundle(self.env)
        return doubts(found, authority, self.env.config.aws.region) if found else ()

    def through(self, name: str, host: str, port: int) -> DatabaseServer:
        """Server at the address to which `name` leads, verified as `host`."""
        return self._logged_in().through(name, host, port)

    def channel(
        self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False
    ) -> Channel:
        """One direction of a rotation's replication."""
        return self._logged_in().channel(rotation_id, source, target, back=back)

    def _logged_in(self) -> Opener:
        if self._opener is None:
            self._opener = Opener(self.login(), self.resolver, self.pinned, self.own_login)
        return self._opener


def _databases(env: Env, aws: Aws, resolver: ClientResolver, environ: Mapping[str, str]) -> DatabaseOpener:
    config = env.config.database

    managed = is_managed(config.credentials.secret_id)

    def login() -> Login:
        # A managed secret goes with its instance: each server's own is read when it is connected to.
        named = None if managed else config.credentials.secret_id
        secret = aws.secrets.json_secret(named) if named else {}
        blue = aws.rds.instance(config.identifier) or _generation_of(aws, config.identifier)
        user = config.username or secret.get("username") or (blue.master_username if blue else None)
        password = secret.get("password") or _password(env, environ)
        engine = serving(blue.engine) if blue else None
        name = config.name or (blue.database_name if blue else None) or (engine or ENGINES[0]).database
        if user is None:
            raise ConfigError(
                "No user name to connect with.",
                why="Neither rotation.toml nor the secret gives one.",
                fix=f"Set [database] username in {env.path / CONFIG_FILE}.",
            )
        return Login(
            user, name, password, config.sslmode, trusted(env), config.link_sslmode, blue.engine if blue else None
        )

    # The sandbox's servers know no DNS but the machine's own, which does not have their names.
    pinned = env.config.sandbox is not None
    own = _own_login(env, ManagedLogins(aws.rds, aws.secrets)) if managed else None
    return LazyDatabases(login, resolver, env, pinned, own)


def _generation_of(aws: Aws, identifier: str) -> Deployment | None:
    """Any instance of the same database: once the adopted blue is retired, another generation has its place."""
    base = base_identifier(identifier)
    return next((each for each in aws.rds.instances() if base_identifier(each.identifier) == base), None)


def _own_login(env: Env, logins: ManagedLogins) -> OwnLogin:
    user = env.config.database.username

    def own(host: str) -> tuple[str, str | None] | None:
        found = logins.of(host)
        return (user or found["username"], found["password"]) if found else None

    return own


def _refuse_without_password(env: Env, environ: Mapping[str, str], *, asked: bool) -> None:
    """A password that is not there is said at once, and not when the first connection is made."""
    config = env.config.database
    if asked and config.access == "direct" and config.credentials.secret_id is None:
        _password(env, environ)


def _password(env: Env, environ: Mapping[str, str]) -> str | None:
    variable = env.config.database.credentials.password_env
    if variable is None:
        return None
    value = environ.get(variable)
    if not value:
        raise ConfigError(
            f"The environment variable {variable} is not set.",
            why="[database.credentials] password_env names it.",
            fix=f"export {variable}=... for the user that connects.",
        )
    return value


def _canary(env: Env) -> Callable[[], Mapping[str, Any]] | None:
    url, own = env.config.canary.report_url, _credentials(env)
    if url is None:
        return None
    if own is None or url != f"{env.config.aws.endpoint_url}{CANARY_PAGE}":
        return lambda: fetch_report(url)
    return lambda: fetch_report(url, signed_headers(url, own, OWN_SERVICE))
