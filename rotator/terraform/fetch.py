"""Fetch one pinned Terraform release, checked against sums that are part of this code.

The sums are HashiCorp's, as its own package formula for 1.11.4 (Homebrew tap) has them. A zip that matches is byte for
byte the release that this project is tested with, whatever server or proxy it came through; HashiCorp's signature is
not checked beside it. Terraform is under the Business Source License 1.1, so it is fetched when asked for, not shipped.
"""

from __future__ import annotations

import hashlib
import io
import platform
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from rotator.domain.errors import TerraformMissing
from rotator.host.files import write_whole

PINNED = "1.11.4"
SUMS: Mapping[str, str] = {
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
}
BASE_URL = "https://releases.hashicorp.com/terraform"

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_BY_HAND = "install Terraform >= 1.10 from your package manager, or set [terraform] binary in rotation.toml"


def this_platform() -> str:
    """HashiCorp's name of this machine, such as linux_amd64."""
    machine = platform.machine().lower()
    return f"{sys.platform}_{_MACHINES.get(machine, machine)}"


def fetch_terraform(
    dest: Path,
    *,
    base_url: str = BASE_URL,
    sums: Mapping[str, str] = SUMS,
    target: str | None = None,
    timeout_seconds: float = 60.0,
) -> Path:
    """Write the pinned release's binary to `dest` (executable, all or nothing); return `dest`. Raises TerraformMissing.

    `target` is a platform as in `sums`, else this machine's; `timeout_seconds` is for each read, not for the whole.
    """
    target = target or this_platform()
    if target not in sums:
        raise TerraformMissing(
            f"no pinned Terraform for {target}", why=f"known are {', '.join(sorted(sums))}", fix=_BY_HAND
        )
    url = f"{base_url.rstrip('/')}/{PINNED}/terraform_{PINNED}_{target}.zip"
    archive = _download(url, timeout_seconds)
    found = hashlib.sha256(archive).hexdigest()
    if found != sums[target]:
        raise TerraformMissing(
            f"{url} is not the release that is pinned here",
            why=f"its SHA-256 is {found}, expected {sums[target]}; nothing was written",
            fix=f"look who is between you and that server (a proxy's error page?); or {_BY_HAND}",
        )
    _install(archive, dest)
    return dest


def _download(url: str, timeout_seconds: float) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise TerraformMissing(f"cannot fetch from {url}", why="only http and https are known", fix=_BY_HAND)
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:  # noqa: S310 - scheme checked above
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise TerraformMissing(
            f"Terraform {PINNED} cannot be fetched", why=f"{url}: {error}", fix=f"try again, or {_BY_HAND}"
        ) from error


def _install(archive: bytes, dest: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        binary = zipped.read("terraform")
    dest.parent.mkdir(parents=True, exist_ok=True)
    write_whole(dest, binary, mode=0o755)
