"""Which Terraform binary to run. `python -m rotator.terraform.binary --fetch` gets the project one of its own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import InvalidVersion, Version

from rotator.domain.env_files import WORK_FOLDER
from rotator.domain.errors import RotatorError, TerraformMissing
from rotator.host import trust
from rotator.terraform.fetch import BASE_URL, PINNED, fetch_terraform

MINIMUM = Version("1.10")
"""S3 state locking without a table (`use_lockfile`) came with 1.10."""

_FIX = f"install Terraform >= {MINIMUM} or run `make terraform`, which fetches {PINNED} into the project's own folder"


def own_binary(project: Path) -> Path:
    """Where the project keeps a Terraform of its own."""
    return project / WORK_FOLDER / "bin" / "terraform"


def find_terraform(configured: str | None, project: Path, environ: Mapping[str, str]) -> Path:
    """The binary of rotation.toml, else the project's own, else the one on PATH that is new enough.

    A configured binary is used or refused, never passed over. One outside of the project counts only when nobody but
    root and we could have put it there: no relative folder of PATH is looked into. Raises TerraformMissing.
    """
    if configured is not None:
        return _configured(configured, project, environ)
    path = environ.get("PATH", os.defpath)
    on_path = trust.program("terraform", path)
    candidates = [own_binary(project), *([Path(on_path)] if on_path else [])]
    reasons = list(trust.passed_over("terraform", path))
    for candidate in candidates:
        reason = _unusable(candidate, environ)
        if reason is None:
            return candidate
        reasons.append(reason)
    raise TerraformMissing(f"no usable Terraform >= {MINIMUM}", why="; ".join(reasons) or "none found", fix=_FIX)


def terraform_version(binary: Path, environ: Mapping[str, str]) -> Version:
    """What `terraform version -json` says. Raises TerraformMissing when it cannot be run or says something else."""
    env = {**environ, "CHECKPOINT_DISABLE": "1"}
    try:
        answer = subprocess.run(
            [str(binary), "version", "-json"], env=env, capture_output=True, check=True, timeout=60, text=True
        )
        return Version(json.loads(answer.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, InvalidVersion) as error:
        raise TerraformMissing(f"{binary} is no usable Terraform", why=str(error), fix=_FIX) from error


def _configured(configured: str, project: Path, environ: Mapping[str, str]) -> Path:
    path, reason = _named(configured, project, environ)
    reason = reason or _unusable(path, environ)
    if reason is None:
        return path
    raise TerraformMissing(
        "the Terraform that rotation.toml names cannot be used",
        why=reason,
        fix=f"correct [terraform] binary in rotation.toml, or remove it; or {_FIX}",
    )


def _named(configured: str, project: Path, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """Where it is, and why it may not be run: a word is looked up on PATH, a path begins in the project."""
    if os.sep in configured:
        path = project / Path(configured).expanduser()
        return path, None if path.is_relative_to(project) or not path.exists() else trust.problem(path)
    search = environ.get("PATH", os.defpath)
    found = trust.program(configured, search)
    others = "; ".join(trust.passed_over(configured, search))
    return Path(found or configured), None if found else others or f"there is no {configured} on PATH"


def _unusable(binary: Path, environ: Mapping[str, str]) -> str | None:
    if not binary.exists():
        return f"{binary} does not exist"
    try:
        version = terraform_version(binary, environ)
    except TerraformMissing as error:
        return f"{error.what} ({error.why})"
    return None if version >= MINIMUM else f"{binary} is {version}, older than {MINIMUM}"


def main(arguments: Sequence[str] | None = None) -> int:
    """For the Makefile: print the binary's path; with --fetch, get one when there is none. Exit code 0, or 30."""
    parser = argparse.ArgumentParser(prog="python -m rotator.terraform.binary", description=main.__doc__)
    parser.add_argument("--project", type=Path, default=Path.cwd())
    parser.add_argument("--fetch", action="store_true", help=f"fetch Terraform {PINNED} when there is none")
    parser.add_argument("--base-url", default=BASE_URL, help="where releases are, in HashiCorp's layout")
    options = parser.parse_args(arguments)
    try:
        print(_find_or_fetch(options.project, options.fetch, options.base_url))
    except RotatorError as error:
        print(f"error: {error.what}\n  why: {error.why}\n  fix: {error.fix}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def _find_or_fetch(project: Path, fetch: bool, base_url: str) -> Path:
    try:
        return find_terraform(None, project, os.environ)
    except TerraformMissing:
        if not fetch:
            raise
    print(f"fetching Terraform {PINNED} into {own_binary(project)} ...", file=sys.stderr)
    binary = fetch_terraform(own_binary(project), base_url=base_url)
    terraform_version(binary, os.environ)
    return binary


if __name__ == "__main__":
    raise SystemExit(main())
