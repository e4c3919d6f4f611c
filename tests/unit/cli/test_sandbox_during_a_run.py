"""`sandbox down` takes journal, state and databases away: not from under a run."""

from __future__ import annotations

import shutil
from pathlib import Path

from typer.testing import CliRunner

from rotator.cli import app
from rotator.journal.lock import env_lock

LOCAL = Path(__file__).resolve().parents[3] / "envs" / "local"


def test_a_sandbox_is_not_taken_down_while_a_run_is_at_work(tmp_path: Path) -> None:
    env = tmp_path / "envs" / "local"
    shutil.copytree(LOCAL, env, ignore=shutil.ignore_patterns(".rotator", ".terraform*"))
    (env / "journal.json").write_text("{}")
    environ = {"ROTATOR_PROJECT": str(tmp_path)}
    with env_lock(env, "rotate"):
        ended = CliRunner().invoke(app, ["sandbox", "down", "local"], env=environ)
    assert ended.exit_code == 40, ended.output
    assert "Held by rotate" in ended.output
    assert (env / "journal.json").exists()
    assert CliRunner().invoke(app, ["sandbox", "down", "local"], env=environ).exit_code == 0
