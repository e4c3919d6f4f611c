"""One server as on RDS: a master that is no superuser, and an ordinary user with a schema of his own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hostile_types import DATABASE, MASTER, PASSWORD, USER

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import binaries
from rotator.sandbox.postgres.account import server_account
from rotator.sandbox.postgres.cluster import Cluster


def servers() -> list[binaries.Binaries]:
    """Every major that this machine has."""
    found = [binaries.inspect(folder, portable=True) for folder in binaries.packaged_folders()]
    try:
        found.append(binaries.find())
    except SandboxError:
        return []
    return list({each.major: each for each in found if each}.values())


def run(cluster: Cluster, user: str, *statements: str) -> None:
    """As that user, each by itself."""
    with psycopg.connect(
        host=cluster.address, user=user, password=PASSWORD, dbname=DATABASE, autocommit=True
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def one_cluster(found: binaries.Binaries | None, *statements: str) -> Iterator[Cluster]:
    """The server, on which the user has run `statements`; gone at the end."""
    if found is None:
        pytest.skip("no PostgreSQL on this machine")
    home = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    home.chmod(0o711)
    made = None
    try:
        programs = binaries.readable_by(found, server_account(), home / "programs")
        made = Cluster.create(home / "one", password=PASSWORD, master=MASTER, database=DATABASE, binaries=programs)
        run(
            made,
            MASTER,
            f"create role {USER} login password '{PASSWORD}'",
            f"grant {USER} to {MASTER}",
            f"create schema app authorization {USER}",
        )
        run(made, USER, *statements)
        yield made
    finally:
        if made is not None:
            made.destroy()
        shutil.rmtree(home)
