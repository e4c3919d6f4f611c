"""The environment that Terraform is run with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rotator.config import EnvConfig
from rotator.terraform import mirror

_FIXED = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_MEANING = ("TF_CLI_ARGS", "TF_AWS_DEFAULT_TAGS_", "TF_AWS_IGNORE_TAGS_")
_LOGGING = ("TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER")


def terraform_env(
    config: EnvConfig | None, work: Path, environ: Mapping[str, str], *, opt: Path = mirror.OPT
) -> dict[str, str]:
    """The whole environment for Terraform. `work` is the project's `.rotator` folder (CLI configuration, plugin cache).

    Of `environ` everything is kept but what would change the meaning of our commands (TF_CLI_ARGS*) or of the root
    (tags that the provider adds or hides: no thing that exists has them, so every plan would change everything), and
    debug logs on standard error (they hold secrets; with TF_LOG_PATH they go to the user's own file and stay).
    """
    dropped = () if environ.get("TF_LOG_PATH") else _LOGGING
    env = {name: value for name, value in environ.items() if not name.startswith(_MEANING) and name not in dropped}
    env.update(_FIXED)
    env.update(_aws(config))
    _installation(env, work, opt)
    return env


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
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as draft:
        draft.write(text)
    os.replace(draft.name, file)
