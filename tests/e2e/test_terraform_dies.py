"""Matrix: Terraform dies while AWS makes green, on real parts: the next command finishes it, or removes it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from project import Project, make_project

pytestmark = [pytest.mark.e2e, pytest.mark.terraform, pytest.mark.postgres, pytest.mark.matrix]
PATIENCE_SECONDS = 600


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path)
    made.setting(r"^\[sandbox\]$", "[sandbox]\nseed_mb = 20\nrestore_seconds = 30.0")
    up = made.run("sandbox", "up", "local", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield made
    down = made.run("sandbox", "down", "local")
    assert down.returncode == 0, down.stderr


def status_of_green(project: Project) -> str:
    try:
        found = project.client("rds").describe_db_instances(DBInstanceIdentifier="shop-db-g1")
    except ClientError:
        return "none"
    return str(found["DBInstances"][0]["DBInstanceStatus"])


def terraforms(project: Project) -> list[int]:
    """Terraform and its provider, by the folder in which they stand."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here, program = os.readlink(process / "cwd"), os.readlink(process / "exe")
        except OSError:
            continue
        if here == str(project.env) and "terraform" in Path(program).name:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("verb", ["rotate", "rollback"])
def test_terraform_dies_while_green_is_being_made(project: Project, verb: str) -> None:
    with project.start("rotate", "local") as first:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while status_of_green(project) == "none":
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for pid in terraforms(project):
            os.kill(pid, signal.SIGKILL)
        said = first.communicate()[0]
    assert first.returncode == 30, said
    assert "Traceback" not in said
    assert status_of_green(project) == "creating"
    project.json(verb, "local", *(["--yes"] if verb == "rollback" else []))
    if verb == "rotate":
        assert status_of_green(project) == "available"
        assert project.json("status", "local")["phase"] == "soaking"
    else:
        assert status_of_green(project) == "none"
        status = project.json("status", "local")
        assert (status["phase"], status["fenced"]) == ("rolled-back", False)
