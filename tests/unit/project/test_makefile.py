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


def test_nothing_of_env_is_run_as_a_command(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for env in (f"x; touch {trap}", f"$$(touch {trap})", f"`touch {trap}`", f'x" && touch {trap} "'):
        assert make("-s", "status", f"ENV={env}").returncode == 2
    assert not trap.exists()
