"""The lock says which verb holds it: another terminal's status shows that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rotator.cli import app

EXAMPLE = Path(__file__).resolve().parents[3] / "envs" / "example"


@pytest.mark.parametrize("verb", ["plan", "rotate", "retire", "rollback"])
def test_the_lock_names_the_verb(tmp_path: Path, verb: str) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "envs" / "shop")
    toml = tmp_path / "envs" / "shop" / "rotation.toml"
    toml.write_text(toml.read_text().replace('# sslrootcert = "../rds-global-bundle.pem"', 'sslrootcert = "system"'))
    environ = {"ROTATOR_PROJECT": str(tmp_path), "PATH": "/nonexistent"}
    ended = CliRunner().invoke(app, [verb, "shop"], env=environ)
    assert ended.exit_code == 30, ended.output
    held = (tmp_path / "envs" / "shop" / ".rotator" / "lock").read_text()
    assert held.startswith(f"{verb}, pid ")
