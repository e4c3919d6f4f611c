"""Where the AWS provider is installed from, when the user's own Terraform configuration does not say.

The order: an existing CLI configuration wins; then the mirror folders that Terraform looks into by itself; then any
folder one level under /opt that holds the provider and that nobody but root and ourselves can write to (a provider is a
program that is run with our AWS credentials); else the registry. (Terraform docs: "CLI Configuration", "Provider
Installation", "Implied Local Mirror Directories".)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from rotator.host import trust

REGISTRY = "registry.terraform.io"
_PROVIDER = Path(REGISTRY) / "hashicorp" / "aws"
OPT = Path("/opt")


def cli_configuration(environ: Mapping[str, str]) -> Path | None:
    """The user's CLI configuration, if it exists; a TF_CLI_CONFIG_FILE that names nothing is as good as none."""
    named = environ.get("TF_CLI_CONFIG_FILE")
    candidates = ([Path(named)] if named else []) + [path / ".terraformrc" for path in _home(environ)]
    return next((path for path in candidates if path.is_file()), None)


def implied_mirror(environ: Mapping[str, str], system: tuple[Path, ...] | None = None) -> Path | None:
    """The mirror that Terraform finds by itself, if one holds the AWS provider."""
    shared = system if system is not None else (Path("/usr/local/share"), Path("/usr/share"))
    named = environ.get("XDG_DATA_DIRS")
    data = [Path(folder) for folder in named.split(os.pathsep)] if named and system is None else list(shared)
    folders = [folder / "terraform" / "plugins" for folder in data]
    for home in _home(environ):
        user_data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
        folders += [
            home / ".terraform.d" / "plugins",
            user_data / "terraform" / "plugins",
            home / "Library" / "Application Support" / "io.terraform" / "plugins",
        ]
    return _first_with_provider(folders)


def found_mirror(opt: Path = OPT) -> Path | None:
    """A filesystem mirror one level under /opt that only root and we can have filled."""
    try:
        folders = sorted(path for path in opt.iterdir() if path.is_dir())
    except OSError:
        return None
    return _first_with_provider(each for each in folders if _holds_provider(each) and _ours(each))


def configuration_text(mirror: Path) -> str:
    """A CLI configuration that takes what the mirror has from the mirror, and all else from the registry.

    What the mirror has is excluded from the registry: Terraform asks every method that may serve a provider, and fails
    when one of them cannot be reached.
    """
    held = sorted(f"{REGISTRY}/{path.parent.name}/{path.name}" for path in (mirror / REGISTRY).glob("*/*"))
    names = json.dumps(held)
    return (
        "# Written by rotator; a ~/.terraformrc or TF_CLI_CONFIG_FILE of your own takes its place.\n"
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path    = {_quoted(mirror)}\n    include = {names}\n  }}\n"
        f"  direct {{\n    exclude = {names}\n  }}\n"
        "}\n"
    )


def _first_with_provider(folders: Iterable[Path]) -> Path | None:
    return next((folder for folder in folders if _holds_provider(folder)), None)


def _ours(folder: Path) -> bool:
    return trust.problem(folder) is None and trust.problem_below(folder / REGISTRY) is None


def _holds_provider(folder: Path) -> bool:
    try:
        return any((folder / _PROVIDER).iterdir())
    except OSError:
        return False


def _home(environ: Mapping[str, str]) -> list[Path]:
    return [Path(environ["HOME"])] if environ.get("HOME") else []


def _quoted(path: Path) -> str:
    """An HCL string: JSON's escapes, and no template in it."""
    return json.dumps(str(path)).replace("${", "$${").replace("%{", "%%{")
