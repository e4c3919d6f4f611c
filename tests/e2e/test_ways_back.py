"""Matrix: a rollback after the flip with writers at work, and the other strategy, on real parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import Project, make_project

from rotator.network.resolver import ClientResolver

pytestmark = [pytest.mark.e2e, pytest.mark.terraform, pytest.mark.postgres, pytest.mark.matrix]


@pytest.fixture(params=["replicate", "snapshot"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path)
    made.setting(r"^\[sandbox\]$", "[sandbox]\nseed_mb = 20")
    made.setting(r"^\[rotation\]$", f'[rotation]\nstrategy = "{request.param}"')
    up = made.run("sandbox", "up", "local", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield made
    down = made.run("sandbox", "down", "local")
    assert down.returncode == 0, down.stderr


def test_rotated_and_rolled_back_with_writers_at_work(project: Project) -> None:
    rotated: dict[str, Any] = project.json("rotate", "local")
    assert rotated["canary"]["lost"] == rotated["canary"]["doubled"] == 0
    if rotated["strategy"] == "replicate":
        back = project.json("rollback", "local", "--yes")
        assert back["canary"]["lost"] == back["canary"]["doubled"] == 0
    else:
        asked = project.run("rollback", "local", "--yes", "--json")
        assert asked.returncode == 10
        project.json("rollback", "local", "--confirm", "local")
    blue = project.client("rds").describe_db_instances(DBInstanceIdentifier="shop-db")["DBInstances"][0]
    assert ClientResolver(project.dns).cname("db.sandbox.internal") == blue["Endpoint"]["Address"]
    status = project.json("status", "local")
    assert status["phase"] == "rolled-back"
    assert status["fenced"] is False
