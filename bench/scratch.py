"""A throw-away project with one sandbox env of its own, so that a benchmark never meets the user's own sandbox."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ENV = "bench"


def rotator(*arguments: str) -> list[str]:
    """The command line of this interpreter's rotator."""
    return [sys.executable, "-c", "from rotator.cli import main; main()", *arguments]


@contextmanager
def project(seed_mb: int, writers: int | None = None) -> Iterator[Path]:
    """A folder with modules/ and envs/bench, made from envs/local; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rotator-bench-"))
    try:
        shutil.copytree(REPOSITORY / "modules", folder / "modules", ignore=shutil.ignore_patterns(".terraform*"))
        env = folder / "envs" / ENV
        env.mkdir(parents=True)
        text = (REPOSITORY / "envs" / "local" / "rotation.toml").read_text(encoding="utf-8")
        (env / "rotation.toml").write_text(_sized(text, seed_mb, writers), encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def sandbox(environ: dict[str, str]) -> Iterator[None]:
    """A fresh sandbox, and no process of it afterwards. Raises CalledProcessError when it does not start."""
    try:
        subprocess.run(rotator("sandbox", "up", ENV, "--json"), env=environ, check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        subprocess.run(rotator("sandbox", "down", ENV), env=environ, check=True, stdout=subprocess.DEVNULL)


def _sized(text: str, seed_mb: int, writers: int | None) -> str:
    text = re.sub(r"^\[sandbox\]$", f"[sandbox]\nseed_mb = {seed_mb}", text, flags=re.MULTILINE)
    return text if writers is None else re.sub(r"^writers = .*$", f"writers = {writers}", text, flags=re.MULTILINE)
