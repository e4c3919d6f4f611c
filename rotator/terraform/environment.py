"""The environment that Terraform is run with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rotator.config.schema import EnvConfig
from rotator.host import trust
from rotator.host.files import write_whole
from rotator.terraform import mirror

_FIXED = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_NAMES = frozenset(
    {"HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "TERM", "NO_COLOR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {*_PROXIES, *(name.lower() for name in _PROXIES)}
)
_PREFIXES = ("AWS_", "LC_", "TF_", "XDG_")
_MEANING = (
    "TF_CLI_ARGS",
    "TF_VAR_",
    "TF_REATTACH_PROVIDERS",
    "TF_AWS_DEFAULT_TAGS_",
    "TF_AWS_IGNORE_TAGS_",
    "TF_LOG_SDK_PROTO_DATA_DIR",
)
_LOGGING = ("TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER")


def terraform_env(
    config: EnvConfig | None, work: Path, environ: Mapping[str, str], *, opt: Path = mirror.OPT
) -> dict[str, str]:
    """The whole environment for Terraform. `work` is the project's `.rotator` folder (CLI configuration, plugin cache).

    Of `environ` only what Terraform, its AWS provider and backend and the network need is kept, and what
    `[terraform] pass_environment` names: providers and provisioners are programs of others, and the shell that starts
    us holds the database's password and other services' tokens. Dropped as well is what would change the meaning of our
    commands (TF_CLI_ARGS*, TF_REATTACH_PROVIDERS), of the root (TF_VAR_*; tags that the provider adds or hides: no
    thing that exists has them, so every plan would change everything), and debug logs on standard error (they hold
    secrets; with TF_LOG_PATH they go to the user's own file and stay).
    """
    named = frozenset(config.terraform.pass_environment) if config is not None else frozenset()
    dropped = () if environ.get("TF_LOG_PATH") else _LOGGING
    env = {name: value for name, value in environ.items() if name in named or _kept(name, dropped)}
    if config is not None and config.database.credentials.password_env is not None:
        env.pop(config.database.credentials.password_env, None)  # it may be called TF_... or AWS_...
    env["PATH"] = trust.safe_path(environ.get("PATH", os.defpath))
    env.update(_FIXED)
    env.update(_aws(config))
    _installation(env, work, opt)
    return env


def _kept(name: str, dropped: tuple[str, ...]) -> bool:
    if name in dropped or name.startswith(_MEANING):
        return False
    return name in _NAMES or name.startswith(_PREFIXES)


def _aws(config: EnvConfig | None) -> dict[str, str]:
    """Only AWS_ENDPOINT_URL is needed to point the provider at a local AWS; nothing of it gets into the root."""
    if config is None:
        return {}
    wanted = {
        "AWS_REGION": config.aws.region,
        "AWS_ENDPOINT_URL": config.aws.endpoint_url,
        "AWS_PROFILE": config.aws.profile,
    }
    return {name: value for name, value in wanted.items() if value}


def _installation(env: dict[str, str], work: Path, opt: Path) -> None:
    """Set TF_CLI_CONFIG_FILE and TF_PLUGIN_CACHE_DIR by the rule in mirror.py."""
    own = mirror.cli_configuration(env)
    if own is None or str(own) != env.get("TF_CLI_CONFIG_FILE"):
        # It names nothing: Terraform would warn on every call, and not look at ~/.terraformrc either.
        env.pop("TF_CLI_CONFIG_FILE", None)
    if own is not None or mirror.implied_mirror(env) is not None:
        return
    found = mirror.found_mirror(opt)
    if found is not None:
        file = work / "terraform.rc"
        _write(file, mirror.configuration_text(found))
        env["TF_CLI_CONFIG_FILE"] = str(file.resolve())
    elif "TF_PLUGIN_CACHE_DIR" not in env:
        cache = work / "plugin-cache"
        cache.mkdir(parents=True, exist_ok=True)
        env["TF_PLUGIN_CACHE_DIR"] = str(cache.resolve())


def _write(file: Path, text: str) -> None:
    """Whole or not at all: another run may be reading it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_whole(file, text)
