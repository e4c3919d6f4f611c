"""A throw-away project folder with a sandbox env of its own, and the rotator command run in it as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from rotator.config.load import load_env
from rotator.config.sandbox import AccessKey, access_key, located

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Project:
    """`root` is the project, `env` its one sandbox env; `outputs` is all that the commands that have ended printed."""

    root: Path
    outputs: list[str] = field(default_factory=list)

    @property
    def env(self) -> Path:
        return self.root / "envs" / "local"

    @property
    def endpoint(self) -> str:
        """Where the running sandbox's AWS listens."""
        return located(load_env(self.root, "local")).config.aws.endpoint_url or ""

    @property
    def dns(self) -> str:
        """Where its DNS server listens."""
        return located(load_env(self.root, "local")).config.dns.resolver or ""

    @property
    def key(self) -> AccessKey:
        """What its AWS lets in."""
        return access_key(load_env(self.root, "local"))

    def run(self, *arguments: str, timeout: float = 1500, **environ: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command(), *arguments],
            cwd=self.root,
            env=self.environ(**environ),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.outputs += [done.stdout, done.stderr]
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command(), *arguments],
            cwd=self.root,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def command() -> list[str]:
        return [sys.executable, "-c", "from rotator.cli import main; main()"]

    def environ(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {**kept, "ROTATOR_PROJECT": str(self.root), "PYTHONPATH": str(REPOSITORY), **more}

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def client(self, service: str) -> Any:
        """A look from outside: plain boto3 at the sandbox's endpoint, with its key."""
        key = self.key
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key.key_id,
            aws_secret_access_key=key.secret,
            config=Config(user_agent="outside"),
        )

    def setting(self, pattern: str, replacement: str) -> None:
        """Edit rotation.toml by a regular expression that must match."""
        file = self.env / "rotation.toml"
        text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
        assert count, pattern
        file.write_text(text)


def make_project(folder: Path) -> Project:
    root = folder / "project"
    root.mkdir(parents=True)
    for name in ("modules", "templates"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns(".terraform*"))
    env = root / "envs" / "local"
    env.mkdir(parents=True)
    for file in (REPOSITORY / "envs" / "local").iterdir():
        if file.suffix in (".tf", ".toml"):
            shutil.copy(file, env / file.name)
    return Project(root)
