"""A small sandbox env of its own for a test; its ports are chosen when it starts, unless the test pins them."""

from __future__ import annotations

from pathlib import Path

from rotator.config.load import load_env
from rotator.config.schema import Env

TEXT = """
[aws]
region = "eu-central-1"
{http}[database]
identifier = "shop-db"
name = "shop"
[database.credentials]
secret_id = "shop/db"
[dns]
zone = "shop.internal"
record = "db.shop.internal"
{dns}[key]
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
    """An env below `root`; ports of 0 are not pinned."""
    folder = root / "envs" / name
    folder.mkdir(parents=True)
    pinned = {
        "http": f'endpoint_url = "http://127.0.0.1:{http}"\n' if http else "",
        "dns": f'resolver = "127.0.0.1:{dns}"\n' if dns else "",
    }
    (folder / "rotation.toml").write_text(TEXT.format(**pinned))
    return load_env(root, name)
