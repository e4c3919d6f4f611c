"""Find and read envs/<env>/rotation.toml. Every fault is a UsageError or a ConfigError, never a traceback."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rotator.config.messages import problems
from rotator.config.schema import Env, EnvConfig
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import ConfigError, UsageError

FOLDER = "envs"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def list_envs(root: Path) -> tuple[str, ...]:
    """The names of all envs below `root`/envs (folders with a rotation.toml), sorted; empty when there are none."""
    return tuple(sorted(file.parent.name for file in (root / FOLDER).glob(f"*/{CONFIG_FILE}")))


def load_env(root: Path, name: str) -> Env:
    """Read one env below `root`/envs.

    Raises UsageError if there is no such env, ConfigError if its rotation.toml is wrong: all problems of a file
    at once, each with its table, its key and the allowed values.
    """
    path = root / FOLDER / name
    file = path / CONFIG_FILE
    if not _NAME.fullmatch(name) or not file.is_file():
        raise _unknown(root, name)
    data = _parse(file)
    try:
        config = EnvConfig.model_validate(data)
    except ValidationError as fault:
        raise _invalid(file, problems(fault, data)) from None
    return Env(name=name, path=path, config=config)


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except OSError as fault:
        raise ConfigError(
            f"{file} cannot be read: {fault.strerror}.", fix="Give yourself the right to read it.", code="config-file"
        ) from None
    except UnicodeDecodeError as fault:
        raise ConfigError(
            f"{file} is not UTF-8 text: byte {fault.start} cannot be read.",
            why="TOML files are UTF-8.",
            fix="Save it as UTF-8.",
            code="config-syntax",
        ) from None
    except (ValueError, RecursionError) as fault:
        # tomllib also lets int()'s ValueError through, for numbers of thousands of digits.
        raise ConfigError(
            f"{file} is not valid TOML: {fault}.",
            why="The file cannot be parsed, so its settings were not checked.",
            fix='Correct that line; strings need quotes: key = "value".',
            code="config-syntax",
        ) from None


def _invalid(file: Path, found: tuple[str, ...]) -> ConfigError:
    if len(found) == 1:
        return ConfigError(f"{file}: {found[0]}", fix="Correct it and run it again.")
    return ConfigError(f"{file} has {len(found)} problems.", fix="Fix these and run it again.", details=found)


def _unknown(root: Path, name: str) -> UsageError:
    envs = list_envs(root)
    if not envs:
        return UsageError(
            f"There is no env {name!r}: {root / FOLDER} holds none.",
            why=f"An env is a folder in {FOLDER}/ with a {CONFIG_FILE}.",
            fix=f"Run this in the project's folder, or copy {FOLDER}/example to {FOLDER}/{name or 'NAME'}.",
            code="unknown-env",
        )
    near = difflib.get_close_matches(name, envs, n=1)
    folder = root / FOLDER / name
    why = f"{folder} has no {CONFIG_FILE}. " if _NAME.fullmatch(name) and folder.is_dir() else ""
    return UsageError(
        f"There is no env {name!r}.",
        why=f"{why}There are: {', '.join(envs)}.",
        fix=f"Did you mean {near[0]}?" if near else "Name one of them.",
        code="unknown-env",
    )
