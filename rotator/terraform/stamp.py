"""Whether a root needs `terraform init` again: a digest of all that init depends on, kept in the root's data folder.

Init takes about a second; a rotation has a dozen plans. What it depends on: the root's own *.tf and those of its local
modules (providers, modules, backend), the dependency lock, and where providers come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rotator.host.files import write_whole

_STAMP = "rotator-init-digest"


def data_dir(root: Path, environ: Mapping[str, str]) -> Path:
    """Terraform's data folder of a root (TF_DATA_DIR, else .terraform)."""
    return root / environ.get("TF_DATA_DIR", ".terraform")


def is_initialised(root: Path, environ: Mapping[str, str], binary: str) -> bool:
    """True only when nothing that init depends on has changed since `remember`, and what it installed is there."""
    folder = data_dir(root, environ)
    stamp = folder / _STAMP
    if not stamp.is_file() or not _installed(folder):
        return False
    return stamp.read_text(encoding="ascii") == _digest(root, environ, binary)


def remember(root: Path, environ: Mapping[str, str], binary: str) -> None:
    """Record that init succeeded for the root as it is now."""
    folder = data_dir(root, environ)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _STAMP, _digest(root, environ, binary))


def _installed(folder: Path) -> bool:
    """Providers are linked from a mirror or a cache: a link to nothing means that it was moved."""
    return all(path.exists() for path in folder.glob("providers/*/*/*/*/*"))


def _digest(root: Path, environ: Mapping[str, str], binary: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(set(_files(root, environ))):
        digest.update(f"{path}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for word in (binary, environ.get("TF_CLI_CONFIG_FILE", ""), environ.get("TF_WORKSPACE", "")):
        digest.update(f"{word}\n".encode())
    return digest.hexdigest()


def _files(root: Path, environ: Mapping[str, str]) -> Iterable[Path]:
    for folder in (root, *_module_folders(root, environ)):
        yield from (path for pattern in ("*.tf", "*.tf.json") for path in folder.glob(pattern))
    others = (root / ".terraform.lock.hcl", Path(environ.get("TF_CLI_CONFIG_FILE", "") or "/nonexistent"))
    yield from (path for path in others if path.is_file())


def _module_folders(root: Path, environ: Mapping[str, str]) -> Iterable[Path]:
    manifest = data_dir(root, environ) / "modules" / "modules.json"
    if not manifest.is_file():
        return
    for module in json.loads(manifest.read_text(encoding="utf-8")).get("Modules", []):
        if module.get("Key"):
            yield root / module["Dir"]
