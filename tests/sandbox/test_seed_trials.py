"""`make seed-trials` itself: a few trials at the tool's own seed are exact, and the same trials elsewhere are not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.matrix]

BENCH = Path(__file__).resolve().parents[2] / "bench"


def seed_trials(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "seed_trials.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def row(output: str, position: str) -> tuple[int, ...]:
    """trials, exact, lost, doubled, stopped, rows lost, rows doubled."""
    line = next(line for line in output.splitlines() if line.startswith(position))
    return tuple(map(int, re.findall(r" {2,}(\d+)", line)))


def test_trials_at_the_seed_are_exact_and_their_controls_are_not() -> None:
    done = seed_trials("--trials", "3", "--controls", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert row(done.stdout, "seed, as the tool decides") == (3, 3, 0, 0, 0, 0, 0)
    assert "sources of the seed that agreed: replay position + log: 3 trials" in done.stdout
    assert row(done.stdout, "control: the slot's")[3:5] == (1, 0)
    assert row(done.stdout, "control: blue's after")[2:5] == (1, 0, 0)


@pytest.mark.parametrize(("position", "column"), [("slot", 3), ("late", 2)])
def test_trials_at_a_wrong_position_fail(position: str, column: int) -> None:
    done = seed_trials("--trials", "1", "--position", position)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"FAILED: 1 trials with position {position} were not exact" in done.stdout
    assert row(done.stdout, "control: ")[column] == 1
