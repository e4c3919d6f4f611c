"""A small sandbox env of its own for a test, on free ports."""

from __future__ import annotations

import socket
from pathlib import Path

from rotator.config import Env
from rotator.config_file import load_env

TEXT = """
[aws]
region = "eu-central-1"
endpoint_url = "http://127.0.0.1:{http}"
[database]
identifier = "shop-db"
name = "shop"
[database.credentials]
secret_id = "shop/db"
[dns]
zone = "shop.internal"
record = "db.shop.internal"
resolver = "127.0.0.1:{dns}"
[key]
alias = "alias/shop-db"
[sandbox]
seed_mb = 1
writers = 2
create_seconds = 0.5
snapshot_seconds = 0.3
copy_seconds = 0.3
restore_seconds = 0.5
"""


def small_env(root: Path, name: str = "box", *, http: int = 0, dns: int = 0) -> Env:
    """An env below `root`; ports of 0 are replaced by free ones."""
    folder = root / "envs" / name
    folder.mkdir(parents=True)
    (folder / "rotation.toml").write_text(TEXT.format(http=http or _free_port(), dns=dns or _free_port()))
    return load_env(root, name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
