"""The modules and the rendered roots as Terraform sees them: format, validation, each module's own tests; offline."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rotator.config.load import load_env
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env
from rotator.terraform.render import MODULES, render_root

pytestmark = pytest.mark.terraform

PROJECT = Path(__file__).parents[2]
NOT_OURS = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars.json")


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that the project gives Terraform, without credentials: nothing here may need any."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return terraform_env(None, tmp_path_factory.mktemp("work"), own)


def terraform(folder: Path, environ: dict[str, str], *arguments: str) -> str:
    binary = str(find_terraform(None, PROJECT, environ))
    done = subprocess.run([binary, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", ["modules", "envs"])
def test_files_are_formatted(folder: str, environ: dict[str, str]) -> None:
    assert terraform(PROJECT, environ, "fmt", "-check", "-diff", "-recursive", folder) == ""


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_own_tests_pass(name: str, tmp_path: Path, environ: dict[str, str]) -> None:
    folder = shutil.copytree(PROJECT / "modules" / name, tmp_path / name, ignore=NOT_OURS)
    terraform(folder, environ, "init", "-no-color", "-input=false")
    terraform(folder, environ, "validate", "-no-color")
    closing = re.search(r"(\d+) passed, 0 failed", terraform(folder, environ, "test", "-no-color"))
    runs = sum(file.read_text().count('\nrun "') for file in folder.glob("tests/*.tftest.hcl"))
    assert closing is not None
    assert int(closing[1]) == runs > 0


@pytest.mark.parametrize("name", ["local", "example"])
def test_a_rendered_root_is_valid(name: str, tmp_path: Path, environ: dict[str, str]) -> None:
    shutil.copytree(PROJECT / "modules", tmp_path / "modules", ignore=NOT_OURS)
    root = tmp_path / "envs" / name
    root.mkdir(parents=True)
    for file, text in render_root(load_env(PROJECT, name), "../../modules").items():
        (root / file).write_text(text, encoding="utf-8")
    terraform(root, environ, "fmt", "-check", "-diff")
    terraform(root, environ, "init", "-no-color", "-input=false", "-backend=false")
    terraform(root, environ, "validate", "-no-color")


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_readme_has_its_inputs_and_outputs(name: str) -> None:
    folder = PROJECT / "modules" / name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output")):
        declared = re.findall(rf'^{kind} "(\w+)"', (folder / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert declared
        heading = {"variable": "## Inputs", "output": "## Outputs"}[kind]
        table = readme.split(heading)[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == declared


def test_the_readme_of_db_instance_has_every_setting() -> None:
    folder = PROJECT / "modules" / "db_instance"
    declared = re.findall(
        r"^    (\w+) += ",
        (folder / "variables.tf").read_text(encoding="utf-8").split("type = object({")[1].split("})")[0],
        re.MULTILINE,
    )
    table = (folder / "README.md").read_text(encoding="utf-8").split("## `settings`")[1].split("\n## ")[0]
    assert set(declared) <= set(re.findall(r"`(\w+)`", table))
    assert len(declared) > 40
