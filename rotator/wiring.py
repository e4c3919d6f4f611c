"""The only place that builds clients, stores, runners and reporters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rotator.aws.session import Aws
from rotator.aws.signing import signed_headers
from rotator.commands.journal import JournalStores, refuse_unmoved
from rotator.commands.services import Services
from rotator.config.ca_bundle import trusted
from rotator.config.load import load_env
from rotator.config.sandbox import CANARY_PAGE, OWN_SERVICE, access_key, located
from rotator.config.schema import Env
from rotator.domain.env_files import PRIVATE_FOLDER, WORK_FOLDER
from rotator.domain.errors import Blocked, RotatorError, UsageError
from rotator.host.clock import SystemClock
from rotator.host.files import for_owner_alone
from rotator.host.started import typed
from rotator.journal.local import LocalStore, keeper_of
from rotator.journal.s3 import S3Store
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
from rotator.wiring_databases import databases_of, refuse_without_password
from rotator.wiring_journal import store_of


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


def journal_stores(name: str) -> JournalStores:
    """The journal of an env, without anything else."""
    env = located(load(name))
    return _stores(env, Aws(env.config.aws, _credentials(env)), lambda text: None)


def caller(name: str) -> str:
    """The caller's ARN; "unknown" where STS does not say."""
    env = located(load(name))
    try:
        return Aws(env.config.aws, _credentials(env)).identity.caller().arn
    except RotatorError:
        return "unknown"


def _stores(env: Env, aws: Aws, on_wait: Callable[[str], None]) -> JournalStores:
    store = store_of(env, aws, on_wait)
    private = project_root() / WORK_FOLDER / PRIVATE_FOLDER / env.name
    return JournalStores(env.name, keeper_of(env.name, env.path, store, private), store, LocalStore(env.path))


@contextmanager
def workbench(name: str, verb: str, *, as_json: bool, locked: bool) -> Iterator[Services]:
    """Everything `verb` needs; with `locked`, the env is held until the end (I7).

    Meanwhile all that is written is for this user alone: Terraform's state and plans have values of the database too.
    """
    env = load(name)
    # What these verbs print is their result: progress goes to stderr.
    quiet = as_json or verb in ("plan", "status")
    with for_owner_alone(), ExitStack() as stack:
        if locked:
            # Two runs on one machine share the env's work folder, wherever the journal is.
            stack.enter_context(LocalStore(env.path).lock(verb))
        yield _workbench(env, quiet, stack, verb if locked else None)


def _workbench(given: Env, quiet: bool, stack: ExitStack, at_work: str | None) -> Services:
    """`at_work`: the verb that holds the env; None: it only looks."""
    env = located(given)
    project = project_root()
    work = env.path / WORK_FOLDER
    environ = environment(env)
    aws = Aws(env.config.aws, _credentials(env))
    asked = env.config.dns.resolver
    resolver = ClientResolver(None if asked == "none" else asked)
    refuse_without_password(env, environ, asked=at_work is not None)
    if at_work and env.config.database.access == "direct":
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
    stores = _stores(env, aws, reporter.note)
    refuse_unmoved(stores)
    store, keeper = stores.store, stores.keeper
    if at_work:
        if not isinstance(store, LocalStore):
            stack.enter_context(store.lock(at_work))
        LocalStore(env.path).narrow()
        for doubt in store.objects.doubts() if isinstance(store, S3Store) and at_work in ("rotate", "plan") else ():
            reporter.note(f"warning: {doubt}")
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
        databases=databases_of(env, aws, resolver, environ) if env.config.database.access == "direct" else None,
        stages=TerraformStages(terraform, work, lambda: check_root(env), before_apply=keeper.renew),
        reporter=reporter,
        clock=SystemClock(),
        canary=_canary(env),
        waiting=lambda text: pulse(sys.stderr, text),
        holder=store.holder,
    )


def _canary(env: Env) -> Callable[[], Mapping[str, Any]] | None:
    url, own = env.config.canary.report_url, _credentials(env)
    if url is None:
        return None
    if own is None or url != f"{env.config.aws.endpoint_url}{CANARY_PAGE}":
        return lambda: fetch_report(url)
    return lambda: fetch_report(url, signed_headers(url, own, OWN_SERVICE))
