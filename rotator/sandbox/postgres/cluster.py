"""One real PostgreSQL server in one folder, behind one RDS instance of the sandbox.

Folder: `cluster.json` (0600: where it listens, with which programs, the service's own password), `data/`, `server.log`,
and with an authority `server.pem` and `server-key.pem`.
As root the server runs as another user (see processes.server_account), who must be able to enter the folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from rotator.database.interface import Target
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import binaries as programs
from rotator.sandbox.postgres import processes
from rotator.sandbox.postgres.address import free_address
from rotator.sandbox.postgres.authority import Authority
from rotator.sandbox.postgres.binaries import Binaries
from rotator.sandbox.postgres.config import (
    Admin,
    connectable,
    create_database,
    host_rules,
    make_like_rds,
    open_functions,
    postgresql_conf,
    prepare_template,
    scram,
)
from rotator.sandbox.postgres.private_file import write_private
from rotator.sandbox.postgres.processes import Account
from rotator.sandbox.postgres.settings import Settings
from rotator.sandbox.postgres.tls import client_tls, is_forced, place_certificate, tls_settings

SERVICE_USER = "rdsadmin"
START_ATTEMPTS = 3
START_SECONDS = 120.0


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
        authority: Authority | None = None,
        names: Sequence[str] = (),
    ) -> Cluster:
        """Make a new server in `folder` (must not exist), start it, and give it RDS's roles and `database`.

        `extra` are PostgreSQL settings (a parameter group); `taken` are addresses not to use. With an `authority` the
        server speaks TLS, and its certificate has these host `names`.
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
            authority=str(authority.folder) if authority else None,
            names=tuple(names),
            major=binaries.major,
        )
        cluster = cls.place(folder, settings)
        cluster._initdb()
        cluster = cluster.start()
        cluster._make_like_rds(password, database)
        return cluster

    @classmethod
    def place(cls, folder: Path, settings: Settings) -> Cluster:
        """Write the settings of a server before its data folder exists (initdb, or a copy)."""
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
        return cls(folder, Settings.from_json((folder / "cluster.json").read_text()), processes.server_account())

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
            **client_tls(self.authority),
        )

    @property
    def authority(self) -> Authority | None:
        """The authority of its certificate; None: it has no TLS."""
        return Authority(Path(self.settings.authority)) if self.settings.authority else None

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[Admin]:
        """The service's own superuser session, in autocommit."""
        where = make_conninfo(
            host=self.address,
            port=self.port,
            user=SERVICE_USER,
            password=self.settings.service_password,
            dbname=database,
            connect_timeout=10,
            **client_tls(self.authority),
        )
        with psycopg.connect(where, autocommit=True) as connection:
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

    def renamed(self, names: Sequence[str]) -> Cluster:
        """With a certificate for other host names, which a running server takes up for new sessions."""
        cluster = Cluster.place(self.folder, replace(self.settings, names=tuple(names)))
        cluster._certify()
        pid = cluster.pid()
        if pid is not None:
            processes.send(signal.SIGHUP, [pid])
        return cluster

    def destroy(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)

    def set_password(self, user: str, password: str) -> None:
        """As ModifyDBInstance(MasterUserPassword) does; the server only ever sees the SCRAM form."""
        with self.admin() as admin:
            verifier = scram(admin, user, password)
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier)),
            )

    # --- how -----------------------------------------------------------------------------------------------------

    def _initdb(self) -> None:
        secret = self.folder / "pwfile"
        write_private(secret, self.settings.service_password + "\n", self.account)
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
            make_like_rds(admin, self.settings.master, scram(admin, self.settings.master, password))
        with self.admin() as admin, connectable(admin, "template0"):
            for name in ("postgres", "template0", "template1"):
                with self.admin(name) as there:
                    open_functions(there)
        with self.admin("template1") as template:
            prepare_template(template)
        if database and database != "postgres":
            with self.admin() as admin:
                create_database(admin, database, self.settings.master)

    def _configure(self) -> None:
        settings = self.settings
        self._certify()
        tls = tls_settings(self.folder, self.authority)
        text = postgresql_conf(settings.address, settings.port, {**settings.extra, **tls})
        write_private(self.data / "postgresql.conf", text, self.account)
        forced = self.authority is not None and is_forced(settings.extra, settings.major)
        write_private(self.data / "pg_hba.conf", host_rules(tls_only=forced), self.account)

    def _certify(self) -> None:
        if self.authority is not None:
            names = (*self.settings.names, self.address)
            place_certificate(self.folder, self.authority, names, self.account)

    def _moved(self) -> Cluster:
        address = free_address(self.port, {self.address})
        cluster = Cluster(self.folder, replace(self.settings, address=address), self.account)
        cluster._save()
        return cluster

    def _save(self) -> None:
        write_private(self.folder / "cluster.json", self.settings.to_json(), self.account)

    def _try_start(self) -> tuple[str, ...]:
        """Start and wait; gives nothing when it is up, else the last lines of its log."""
        self._configure()
        known = self.log.stat().st_size if self.log.exists() else 0
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a killed one: start() has seen that none runs
        pid = processes.spawn([self._program("postgres"), "-D", str(self.data)], self.account, self.log)
        processes.wait_until(
            lambda: self._ready(pid) or not processes.alive(pid), START_SECONDS, "a database server is not ready"
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
