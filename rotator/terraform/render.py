"""rotation.toml -> the env's Terraform root: structure only. What a rotation changes is data (see data.py), never text.

Values from rotation.toml that do get into HCL (backend, region, account) are quoted as HCL strings, so that none of
them can be read as a template or as code.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2

from rotator.config.schema import BackendConfig, Env
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import ConfigError, UsageError
from rotator.host.machine import write_file

HEADER = "# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.\n"
MODULES = ("kms_key", "db_instance", "dns_cname")
_TEMPLATES = ("versions.tf", "variables.tf", "main.tf", "imports.tf", "outputs.tf")
_PACKAGE = Path(__file__).resolve().parent.parent
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_VARIABLE, _TYPE, _TYPE_END = '\nvariable "settings" {\n', "\n  type = object({\n", "\n  })\n"


def render_root(env: Env, modules_source: str) -> Mapping[str, str]:
    """File name -> text, of the whole root. `modules_source` is where the modules' folders lie, as HCL is to name it.

    The result depends on the env's config and the templates alone, and is as `terraform fmt` would have it. Raises
    ConfigError for a backend setting that cannot be an argument.
    """
    backend = env.config.terraform.backend
    aws = env.config.aws
    provider: dict[str, str | bool | list[str]] = {"region": aws.region}
    if aws.account is not None:
        provider["allowed_account_ids"] = [aws.account]
    values = {
        "header": HEADER,
        "modules": modules_source,
        "backend": {"type": backend.type, "lines": _arguments(env, _with_lock(backend))},
        "provider_lines": _arguments(env, provider),
        "settings": _settings_type(),
    }
    jinja = _jinja()
    return {name: jinja.get_template(f"{name}.j2").render(values) for name in _TEMPLATES}


def _with_lock(backend: BackendConfig) -> dict[str, str | bool]:
    """The backend's arguments, with a lock of Terraform's own beside the state, unless they name another."""
    if backend.type != "s3" or backend.settings.keys() & {"use_lockfile", "dynamodb_table"}:
        return backend.settings
    return {**backend.settings, "use_lockfile": True}


def write_root(env: Env) -> tuple[str, ...]:
    """Render into the env's folder; the names of the files that were changed. Raises ConfigError and UsageError."""
    changed = check_root(env)
    texts = _files(env)
    for name in changed:
        write_file(env.path / name, texts[name])
    return changed


def check_root(env: Env) -> tuple[str, ...]:
    """Names of the files of the root that are missing or differ from what would be rendered. Raises as `write_root`."""
    return tuple(name for name, text in _files(env).items() if _read(env.path / name) != text)


def assets(name: str) -> Path:
    """The folder `modules` or `templates`: of the source tree, or of the installed package. Raises UsageError."""
    for found in (_PACKAGE.parent / name, _PACKAGE / "_assets" / name):
        if found.is_dir():
            return found
    raise UsageError(
        f"The folder {name} of rotator is missing.",
        why="It lies in the source tree beside the package, or in the installed package.",
        fix="Install rotator again.",
    )


def quoted(value: object) -> str:
    """A string, boolean or list of them as an HCL expression: nothing in it is interpolated."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{")


def _files(env: Env) -> Mapping[str, str]:
    """The root's files, with a copy of the modules where no folder above the env has them (an installed rotator)."""
    for parent in env.path.resolve().parents:
        modules = parent / "modules"
        if all((modules / name / "main.tf").is_file() for name in MODULES):
            return render_root(env, Path(os.path.relpath(modules, env.path.resolve())).as_posix())
    return {**render_root(env, "./modules"), **_vendored()}


def _vendored() -> Mapping[str, str]:
    source = assets("modules")
    files = [file for name in MODULES for file in sorted((source / name).iterdir()) if file.is_file()]
    return {f"modules/{file.relative_to(source).as_posix()}": file.read_text(encoding="utf-8") for file in files}


def _settings_type() -> list[str]:
    """The type of a database's settings, from the module that takes them: there is one list of them."""
    text = (assets("modules") / "db_instance" / "variables.tf").read_text(encoding="utf-8")
    _, _, variable = f"\n{text}".partition(_VARIABLE)
    _, _, rest = variable.partition(_TYPE)
    found, end, _ = rest.partition(_TYPE_END)
    if not end:
        raise ValueError("modules/db_instance/variables.tf has no variable settings of an object type")
    return [line.removeprefix("    ") for line in found.splitlines()]


def _arguments(env: Env, values: Mapping[str, str | bool | list[str]]) -> list[str]:
    """Lines `name = value`, with the equals signs below each other."""
    for name in values:
        if not _IDENTIFIER.match(name):
            raise ConfigError(
                f"{env.path / CONFIG_FILE}: [terraform.backend.settings] has the key {name!r}.",
                why="It becomes an argument of Terraform's backend: a letter, then letters, digits, _ or -.",
                fix="Correct the key; the backend's documentation lists its arguments.",
            )
    width = max(map(len, values), default=0)
    return [f"{name.ljust(width)} = {quoted(value)}" for name, value in values.items()]


def _jinja() -> jinja2.Environment:
    # Autoescape is for HTML; here every value goes through `quoted`.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(assets("templates") / "root"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    return environment


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
