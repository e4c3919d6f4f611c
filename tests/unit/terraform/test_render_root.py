"""The rendered root: structure from rotation.toml alone, nothing interpolated, nothing of a local AWS in it."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rotator.config.load import load_env
from rotator.config.schema import Env, EnvConfig
from rotator.domain.errors import ConfigError
from rotator.terraform.render import HEADER, MODULES, assets, check_root, quoted, render_root, write_root

PROJECT = Path(__file__).parents[3]
MINIMAL: dict[str, Any] = {
    "aws": {"region": "eu-west-1"},
    "database": {"identifier": "shop-db"},
    "dns": {"zone": "x.org", "record": "db.x.org"},
    "key": {"alias": "alias/shop"},
}


def env(path: Path, **tables: Any) -> Env:
    return Env(name="e", path=path, config=EnvConfig.model_validate(MINIMAL | tables))


@pytest.mark.parametrize("name", ["local", "example"])
def test_the_committed_envs_are_as_rendered(name: str) -> None:
    assert check_root(load_env(PROJECT, name)) == ()


def test_every_file_says_where_it_comes_from(tmp_path: Path) -> None:
    texts = render_root(env(tmp_path), "../../modules")
    assert set(texts) == {"versions.tf", "variables.tf", "main.tf", "imports.tf", "outputs.tf"}
    assert all(text.startswith(HEADER) for text in texts.values())


def test_nothing_of_a_local_aws_is_rendered(tmp_path: Path) -> None:
    aws = {"region": "eu-west-1", "endpoint_url": "http://127.0.0.1:4566", "profile": "mine"}
    text = "".join(render_root(env(tmp_path, aws=aws), "../../modules").values())
    assert "4566" not in text
    assert "mine" not in text
    assert not re.search(r"^\s*(endpoints|skip_(?!final)\w+|access_key|secret_key|default_tags)\b", text, re.MULTILINE)


def test_the_root_has_no_default_for_what_resources_hang_on(tmp_path: Path) -> None:
    text = render_root(env(tmp_path), "../../modules")["variables.tf"]
    for name in ("generations", "serving", "endpoint"):
        block = text.split(f'variable "{name}"')[1].split("\nvariable ")[0]
        assert not re.search(r"^  default", block, re.MULTILINE), name


def test_the_root_takes_the_settings_that_the_module_takes(tmp_path: Path) -> None:
    argument = re.compile(r"^ +(\w+) += (?:string|optional\(.*\))$", re.MULTILINE)
    module = (PROJECT / "modules" / "db_instance" / "variables.tf").read_text(encoding="utf-8")
    root = render_root(env(tmp_path), "../../modules")["variables.tf"]
    ours = argument.findall(module.split("type = object({")[1].split("})")[0])
    assert argument.findall(root.split("settings = object({")[1].split("})")[0]) == ours
    assert {"instance_class", "engine", "storage_throughput", "database_insights_mode"} <= set(ours)


def test_account_and_backend(tmp_path: Path) -> None:
    backend = {"type": "s3", "settings": {"bucket": "b", "use_lockfile": True}}
    aws = {"region": "eu-west-1", "account": "123456789012"}
    text = render_root(env(tmp_path, aws=aws, terraform={"backend": backend}), "m")["versions.tf"]
    assert 'backend "s3" {\n    bucket       = "b"\n    use_lockfile = true\n  }' in text
    assert 'region              = "eu-west-1"\n  allowed_account_ids = ["123456789012"]' in text


def test_values_are_never_read_as_code() -> None:
    assert quoted('a"b\\c\n${d}%{e}') == r'"a\"b\\c\n$${d}%%{e}"'


def test_a_backend_setting_that_is_no_argument_is_refused(tmp_path: Path) -> None:
    backend = {"type": "s3", "settings": {'x" {}\n': "y"}}
    with pytest.raises(ConfigError, match="settings"):
        render_root(env(tmp_path, terraform={"backend": backend}), "m")


def test_write_then_check(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "modules", tmp_path / "modules")
    made = env(tmp_path / "envs" / "e")
    assert "main.tf" in check_root(made)
    assert set(write_root(made)) == {"versions.tf", "variables.tf", "main.tf", "imports.tf", "outputs.tf"}
    assert check_root(made) == ()
    assert write_root(made) == ()
    assert 'source   = "../../modules/kms_key"' in (made.path / "main.tf").read_text(encoding="utf-8")
    (made.path / "main.tf").write_text("# mine\n", encoding="utf-8")
    assert check_root(made) == ("main.tf",)
    assert write_root(made) == ("main.tf",)


def test_without_modules_above_they_come_along(tmp_path: Path) -> None:
    made = env(tmp_path / "elsewhere")
    changed = write_root(made)
    assert 'source   = "./modules/kms_key"' in (made.path / "main.tf").read_text(encoding="utf-8")
    for name in MODULES:
        assert f"modules/{name}/main.tf" in changed
    ours = PROJECT / "modules" / "dns_cname" / "gate.sh"
    assert (made.path / "modules" / "dns_cname" / "gate.sh").read_text(encoding="utf-8") == ours.read_text(
        encoding="utf-8"
    )
    assert check_root(made) == ()


def test_assets_are_found() -> None:
    assert (assets("modules") / "kms_key" / "main.tf").is_file()
    assert (assets("templates") / "root" / "main.tf.j2").is_file()


def keys(model: type[BaseModel], table: str = "") -> set[tuple[str, str]]:
    """Every (table, key) of rotation.toml; free maps such as tags count as tables of their own."""
    found = set()
    for name, field in model.model_fields.items():
        inner = next((a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_model(a)), None)
        path = f"{table}.{name}".lstrip(".")
        if inner is not None:
            found |= keys(inner, path)
        elif (table, name) not in {("", "tags"), ("terraform.backend", "settings")}:
            found.add((table, name))
    return found


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def test_the_example_has_every_key() -> None:
    table, found = "", set()
    text = (PROJECT / "envs" / "example" / "rotation.toml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if header := re.match(r"(?:# )?\[([a-z.]+)\]$", line):
            table = header[1]
        elif key := re.match(r"(?:# )?([a-z0-9_]+) = ", line):
            found.add((table, key[1]))
    assert keys(EnvConfig) - found == set()
    free = {name for name in found if name[0] in ("tags", "terraform.backend.settings")}
    assert found - free - keys(EnvConfig) == set()


def test_the_example_is_right_with_everything_uncommented() -> None:
    text = (PROJECT / "envs" / "example" / "rotation.toml").read_text(encoding="utf-8")
    full = re.sub(r"^# (?=\[[a-z.]+\]$|[a-z0-9_]+ = )", "", text, flags=re.MULTILINE)
    # The one pair of alternatives.
    full = re.sub(r"^password_env = .*$", "", full, flags=re.MULTILINE)
    EnvConfig.model_validate(tomllib.loads(full))
