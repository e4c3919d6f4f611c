"""One real PostgreSQL server in one folder: what stands behind one RDS instance of the sandbox.

Folder: `cluster.json` (0600: where it listens, with which programs, the service's own password), `data/`, `server.log`.
As root the server runs as another user (see processes.server_account), who must be able to enter the folder.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from rotator.database.interface import Target
from rotator.sandbox import binaries as programs
from rotator.sandbox import processes
from rotator.sandbox.binaries import Binaries
from rotator.sandbox.cluster_address import free_address
from rotator.sandbox.cluster_config import (
    HOST_RULES,
    Admin,
    connectable,
    make_like_rds,
    open_functions,
    postgresql_conf,
    prepare_template,
)
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.processes import Account

SERVICE_USER = "rdsadmin"
START_ATTEMPTS = 3
START_SECONDS = 120.0


@dataclass(frozen=True)
class Settings:
    """What cluster.json holds. `service_password` is rdsadmin's; `extra` are further PostgreSQL settings."""

    address: str
    port: int
    master: str
    programs: str
    service_password: str = field(repr=False)
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """A server that exists on disk; it may run or not. Methods raise SandboxError."""

    folder: Path
    settings: Settings
    account: Account | None

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        password: str,
        master: str = "postgres",
        database: str | None = None,
        port: int = 5432,
        binaries: Binaries | None = None,
        extra: Mapping[str, str] | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> Cluster:
        """Make a new server in `folder` (must not exist), start it, and give it RDS's roles and `database`.

        `extra` are PostgreSQL settings (a parameter group); `taken` are addresses not to use.
        """
        account = processes.server_account()
        binaries = binaries or programs.readable_by(programs.find(), account, folder.parent / "programs")
        settings = Settings(
            address=free_address(port, taken),
            port=port,
            master=master,
            programs=str(binaries.folder),
            service_password=secrets.token_urlsafe(24),
            extra=dict(extra or {}),
        )
        cluster = cls.place(folder, settings)
        cluster._initdb()
        cluster = cluster.start()
        cluster._make_like_rds(password, database)
        return cluster

    @classmethod
    def place(cls, folder: Path, settings: Settings) -> Cluster:
        """Write down a server whose data folder is still to come (initdb, or a copy)."""
        account = processes.server_account()
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        cluster = cls(folder, settings, account)
        cluster._save()
        return cluster

    @classmethod
    def load(cls, folder: Path) -> Cluster:
        """A server that an earlier process made."""
        fields = json.loads((folder / "cluster.json").read_text())
        return cls(folder, Settings(**fields), processes.server_account())

    # --- where it is ---------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return self.settings.address

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def target(self, password: str, database: str = "postgres", *, user: str | None = None) -> Target:
        """How the master user (or another) connects."""
        return Target(
            host=self.address,
            port=self.port,
            user=user or self.settings.master,
            database=database,
            address=self.address,
            password=password,
        )

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[Admin]:
        """The service's own superuser session, in autocommit."""
        with psycopg.connect(
            host=self.address,
            port=self.port,
            user=SERVICE_USER,
            password=self.settings.service_password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection

    # --- life ----------------------------------------------------------------------------------------------------

    def pid(self) -> int | None:
        """The running postmaster; None when the server does not run (a stale postmaster.pid does not count)."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return pid if processes.alive(pid) and processes.works_in(pid, self.data) else None

    def start(self) -> Cluster:
        """Start and wait until it accepts connections; on a new address if another process took ours meanwhile."""
        running = self.pid()
        if running is not None:
            processes.resume(running)
            return self
        cluster, attempt = self, 1
        while problem := cluster._try_start():
            if attempt == START_ATTEMPTS or not any("could not bind" in line for line in problem):
                raise SandboxError("a database server did not start", why=problem[-1], details=problem)
            cluster, attempt = cluster._moved(), attempt + 1
        return cluster

    def stop(self) -> None:
        """Shut down cleanly (clients are disconnected)."""
        pid = self.pid()
        if pid is not None:
            processes.resume(pid)
            processes.send(signal.SIGINT, [pid])  # PostgreSQL's fast shutdown
            processes.wait_until(lambda: not processes.alive(pid), 60.0, "a database server does not shut down")
            processes.reap(pid)

    def kill(self) -> None:
        """End at once, as a crash would, also when it was left frozen; shared memory is freed."""
        pid = self.pid()
        if pid is not None:
            processes.quit_server(pid)

    def destroy(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)

    def set_password(self, user: str, password: str) -> None:
        """As ModifyDBInstance(MasterUserPassword) does; the server only ever sees the SCRAM form."""
        with self.admin() as admin:
            verifier = _scram(admin, user, password)
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier)),
            )

    # --- how -----------------------------------------------------------------------------------------------------

    def _initdb(self) -> None:
        secret = self.folder / "pwfile"
        _write_private(secret, self.settings.service_password + "\n", self.account)
        try:
            processes.run(
                [
                    *(self._program("initdb"), "-D", str(self.data), "-U", SERVICE_USER),
                    *("--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-locale"),
                    *("--data-checksums", "--no-sync", "--no-instructions"),
                ],
                self.account,
            )
        finally:
            secret.unlink()

    def _make_like_rds(self, password: str, database: str | None) -> None:
        with self.admin() as admin:
            make_like_rds(admin, self.settings.master, _scram(admin, self.settings.master, password))
        with self.admin() as admin, connectable(admin, "template0"):
            for name in ("postgres", "template0", "template1"):
                with self.admin(name) as there:
                    open_functions(there)
        with self.admin("template1") as template:
            prepare_template(template)
        if database and database != "postgres":
            with self.admin() as admin:
                admin.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(database), sql.Identifier(self.settings.master)
                    )
                )

    def _configure(self) -> None:
        settings = self.settings
        text = postgresql_conf(settings.address, settings.port, settings.extra)
        _write_private(self.data / "postgresql.conf", text, self.account)
        _write_private(self.data / "pg_hba.conf", HOST_RULES, self.account)

    def _moved(self) -> Cluster:
        address = free_address(self.port, {self.address})
        cluster = Cluster(self.folder, Settings(**{**asdict(self.settings), "address": address}), self.account)
        cluster._save()
        return cluster

    def _save(self) -> None:
        _write_private(self.folder / "cluster.json", json.dumps(asdict(self.settings), indent=1), self.account)

    def _try_start(self) -> tuple[str, ...]:
        """Start and wait; gives nothing when it is up, else the last lines of its log."""
        self._configure()
        known = self.log.stat().st_size if self.log.exists() else 0
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a killed one: start() has seen that none runs
        pid = processes.spawn([self._program("postgres"), "-D", str(self.data)], self.account, self.log)
        processes.wait_until(
            lambda: self._ready(pid) or not processes.alive(pid), START_SECONDS, "a database server does not get ready"
        )
        if self._ready(pid):
            return ()
        processes.reap(pid)
        return ("no output", *self.log.read_bytes()[known:].decode(errors="replace").splitlines()[-12:])

    def _ready(self, pid: int) -> bool:
        """Whether the pid file says that connections are accepted (its eighth line: src/include/utils/pidfile.h)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _program(self, name: str) -> str:
        return str(Path(self.settings.programs) / name)


def _scram(connection: Admin, user: str, password: str) -> str:
    encrypted = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256")
    return encrypted.decode()


def _write_private(path: Path, text: str, account: Account | None) -> None:
    """Write a 0600 file for the server's user, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if account is not None:  # by the descriptor: in a folder of theirs the name may be another file's by now
            os.fchown(file.fileno(), account.uid, account.gid)
    fresh.replace(path)
