"""A small PostgreSQL server of its own for tests of the database room: initdb, pg_ctl, and away again.

PostgreSQL refuses to run as root, so root's tests run it as the first usual account that exists.
PG_TEST_BIN names another folder of binaries, to run the same tests on another major.
"""

from __future__ import annotations

import atexit
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rotator.database.interface import Target

SUPERUSER = "postgres"
ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class PgServer:
    """A running server; `target()` is what the database room takes."""

    port: int
    password: str
    data: Path

    host = "127.0.0.1"

    def target(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> Target:
        return Target(self.host, self.port, user, database, self.host, password or self.password, "disable")

    def connect(self, database: str = "postgres", user: str = SUPERUSER, **more: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.host, port=self.port, user=user, password=self.password, dbname=database, **more
        )

    def run(self, database: str, *statements: str) -> None:
        """Run them one by one; a test that needs what this build of PostgreSQL comes without is skipped."""
        with self.connect(database, autocommit=True) as connection:
            for statement in statements:
                try:
                    connection.execute(statement)  # type: ignore[call-overload]
                except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as missing:
                    pytest.skip(str(missing))

    def rows(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        with self.connect(database, autocommit=True) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]

    @contextmanager
    def database(self, *statements: str) -> Iterator[str]:
        """A database of one test, dropped after it."""
        name = f"t{secrets.token_hex(4)}"
        self.run("postgres", f'create database "{name}"')
        try:
            self.run(name, *statements)
            yield name
        finally:
            self.run("postgres", f'drop database if exists "{name}" with (force)')


def bindir() -> Path | None:
    if named := os.environ.get("PG_TEST_BIN"):
        return Path(named)
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)]
    if found:
        return found[0].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def account() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ACCOUNTS if name in known)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def _initialised() -> tuple[Path, str]:
    """What initdb makes, and the superuser's password: once in a process, for every server's data is a copy of it."""
    home, password = _folder("rotator-template-"), secrets.token_hex(8)
    atexit.register(shutil.rmtree, home)
    password_file = home / "password"
    password_file.write_text(password)
    if (user := account()) is not None:
        shutil.chown(password_file, user)
    _run(
        *(_program("initdb"), "-D", str(home / "data"), "-U", SUPERUSER, "-A", "scram-sha-256"),
        *(f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        cwd=home,
    )
    return home / "data", password


def _folder(prefix: str) -> Path:
    home = Path(tempfile.mkdtemp(prefix=prefix))
    if (user := account()) is not None:
        shutil.chown(home, user)
    return home


def _program(name: str) -> str:
    binaries = bindir()
    assert binaries is not None, "no PostgreSQL binaries"
    return str(binaries / name)


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, user=account(), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_server(*, standby: bool = False, **settings: str) -> Iterator[PgServer]:
    """A fresh server with `settings` in postgresql.conf; stopped and removed at the end."""
    empty, password = _initialised()
    home = _folder("rotator-pg-")
    server = PgServer(free_port(), password, home / "data")
    ctl = (_program("pg_ctl"), "-D", str(server.data), "-w", "-l", str(home / "log"))
    try:
        _run("cp", "-a", str(empty), str(server.data), cwd=home)
        with (server.data / "postgresql.conf").open("a") as conf:
            for key, value in _conf(server.port, home, settings).items():
                conf.write(f"{key} = '{value}'\n")
        if standby:
            (server.data / "standby.signal").touch()
        _run(*ctl, "start", cwd=home)
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            _run(*ctl, "-m", "immediate", "stop", cwd=home)
        shutil.rmtree(home)


def _conf(port: int, home: Path, settings: dict[str, str]) -> dict[str, str]:
    return {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "shared_buffers": "32MB",
        "max_prepared_transactions": "5",
        "wal_level": "logical",
        **settings,
    }


@pytest.fixture(scope="module")
def pg() -> Iterator[PgServer]:
    """One server for a module's tests."""
    with running_server() as server:
        yield server
