"""The Makefile's manners: help first, a clear no to an unknown env, nothing of ENV run as a command."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from import_graph import ROOT

WITH_ENV = ("rotate", "retire", "rollback", "status", "plan", "render")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=kept, capture_output=True, text=True, check=False)


def test_plain_make_is_help_and_names_every_public_target() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = make()
    assert shown.returncode == 0
    assert {line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ")} >= targets
    assert set(WITH_ENV) | {"setup", "test", "sandbox-up", "sandbox-down", "lint"} <= targets


@pytest.mark.parametrize("target", WITH_ENV)
@pytest.mark.parametrize("env", [None, "no-such-env", "../envs/local", ".hidden"])
def test_an_env_that_is_missing_or_unknown_lists_those_there_are(target: str, env: str | None) -> None:
    ended = make("-s", target, *([] if env is None else [f"ENV={env}"]))
    assert ended.returncode == 2
    assert "envs" in ended.stderr or "ENV" in ended.stderr
    for folder in (path.parent.name for path in ROOT.glob("envs/*/rotation.toml")):
        assert folder in ended.stderr
    assert re.findall(r"make \w+ ENV", ended.stderr) == [
        f"make {target} ENV"
    ]  # never another command than was asked for


def test_env_in_small_letters_is_told_as_such() -> None:
    assert "written in capitals" in make("-s", "plan", "env=local").stderr


def test_nothing_of_env_is_run_as_a_command(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for env in (f"x; touch {trap}", f"$$(touch {trap})", f"`touch {trap}`", f'x" && touch {trap} "'):
        assert make("-s", "status", f"ENV={env}").returncode == 2
    assert not trap.exists()


LOGIN = '[database]\naccess = "{access}"\n[database.credentials]\n{line}\n'


@pytest.mark.parametrize(
    ("line", "access", "environ", "code"),
    [
        ('password_env = "SHOP_PASSWORD"', "direct", {}, 2),
        ('password_env = "SHOP_PASSWORD"  # of the login', "direct", {"SHOP_PASSWORD": ""}, 2),
        ('password_env = "SHOP_PASSWORD"', "direct", {"SHOP_PASSWORD": "x y$(false)"}, 0),
        ('password_env = "SHOP_PASSWORD"', "none", {}, 0),
        ('# password_env = "SHOP_PASSWORD"', "direct", {}, 0),
        ('password_env = "$(touch sprung)"', "direct", {}, 0),
        ('secret_id = "shop"', "direct", {}, 0),
    ],
)
def test_a_missing_password_is_said_before_anything_is_built(
    tmp_path: Path, line: str, access: str, environ: dict[str, str], code: int
) -> None:
    folder = tmp_path / "envs" / "shop"
    folder.mkdir(parents=True)
    (folder / "rotation.toml").write_text(LOGIN.format(line=line, access=access))
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "need-login"
    script.write_text((ROOT / "scripts" / "need-login").read_text())
    env = {"PATH": os.environ["PATH"], "ENV": "shop", **environ}
    ended = subprocess.run(["sh", str(script)], env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert ("SHOP_PASSWORD is not set" in ended.stderr) is (code == 2)
    assert not list(tmp_path.rglob("sprung"))
    for target in ("rotate", "retire", "rollback", "plan"):
        assert re.search(rf"^{target}: need-env need-login venv", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_a_long_set_up_says_that_it_is_at_work() -> None:
    progress = str(ROOT / "scripts" / "with-progress")
    command = [progress, "waiting", "sh", "-c", "sleep 6; exit 7"]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 7
    assert ended.stderr == "setup: waiting: 5 s\n"
    for script in ("setup-venv", "ensure-postgres", "ensure-aws-cli"):
        text = (ROOT / "scripts" / script).read_text()
        lines = [line for line in text.replace("\\\n", " ").splitlines() if "-m pip install" in line]
        assert lines
        assert all("scripts/with-progress" in line for line in lines), script
