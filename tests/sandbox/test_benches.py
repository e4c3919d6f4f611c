"""Every benchmark, run small on its real parts, so that none rots. What their figures are is not looked at here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.postgres

BENCH = Path(__file__).resolve().parents[2] / "bench"

SMALL = {
    "checksum": (["--rows", "20000", "--runs", "1"], "verify_online, both servers"),
    "cutover": (["--runs", "1", "--rate", "200"], "0 rows lost, 0 doubled"),
    "growth": (["--tables", "5,10"], "nothing grows faster than the tables"),
    "seed_trials": (["--trials", "1", "--controls", "0"], "sources of the seed that agreed: replay position + log: 1"),
}
"""Name -> arguments, and words of the table that it prints. `overhead` is below: a whole run takes minutes."""

PREPARE = """
import json, subprocess, sys
from pathlib import Path
import overhead, scratch
from overhead import Timing, prepare, report
with scratch.project(1, writers=0) as folder:
    import os
    environ = {**os.environ, "ROTATOR_PROJECT": str(folder)}
    os.environ["ROTATOR_PROJECT"] = str(folder)
    with scratch.sandbox(environ):
        subprocess.run(scratch.rotator("render", scratch.ENV), env=environ, check=True, stdout=subprocess.DEVNULL)
        variables = prepare(folder / "stages")
        stages = {file.stem: json.loads(file.read_text()) for file in (folder / "stages").iterdir()}
print(json.dumps({"variables": variables, "stages": stages, "report": report([Timing(100.0, 5.0, 90.0, 90.0)])}))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(BENCH), str(BENCH.parent)))
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_every_benchmark_is_run_here() -> None:
    programs = {file.stem for file in BENCH.glob("*.py") if '__name__ == "__main__"' in file.read_text()}
    assert programs == {*SMALL, "overhead"}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_run(name: str) -> None:
    arguments, words = SMALL[name]
    assert words in run(str(BENCH / f"{name}.py"), *arguments).stdout


@pytest.mark.terraform
def test_the_shell_runbook_that_a_rotation_is_timed_beside_has_all_that_it_needs() -> None:
    """Its stages' data and variables, prepared against a sandbox. (A whole run of both is in the matrix.)"""
    found = json.loads(run("-c", PREPARE).stdout)
    text = (BENCH / "manual_runbook.sh").read_text()
    assert set(re.findall(r"^ *apply ([a-z-]+)", text, re.MULTILINE)) == set(found["stages"])
    assert found["stages"]["cutover"]["serving"] == "g1"
    assert found["stages"]["cutover"]["gate"] is None
    named = {*re.findall(r"(?:\$\{?|\+ )([A-Z_]+)", text)} - {"AWS_ENDPOINT_URL", "TERRAFORM", "ROOT", "STAGES"}
    assert named == set(found["variables"])
    assert all(found["variables"].values())
    assert "ratio" in found["report"]


@pytest.mark.terraform
@pytest.mark.matrix
def test_a_whole_run_of_the_overhead_benchmark() -> None:
    if not (BENCH.parent / ".rotator" / "bench-venv" / "bin" / "aws").exists():
        pytest.skip("no AWS CLI: make bench-overhead installs it")
    assert "shell runbook" in run(str(BENCH / "overhead.py"), "--runs", "1", "--seed-mb", "1").stdout
