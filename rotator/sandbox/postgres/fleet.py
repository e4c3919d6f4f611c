"""The database servers of one sandbox: implements rotator.sandbox.interface.Fleet over clusters and snapshots.

Nothing here outlives the process but folders and servers, and `sweep` finds all of those from the folder alone.
"""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rotator.host import trust
from rotator.host.files import OWNER_FILE, write_whole
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import DATABASE_PORT
from rotator.sandbox.postgres import binaries, processes, snapshots
from rotator.sandbox.postgres.account import server_account
from rotator.sandbox.postgres.authority import Authority
from rotator.sandbox.postgres.cluster import Cluster
from rotator.sandbox.postgres.config import SETTINGS, wal_level
from rotator.sandbox.postgres.parameters import known_by

ELSEWHERE = "elsewhere"
"""File in the fleet's folder that names the real one, when the servers' user cannot enter the fleet's folder."""
Endpoints = Callable[[str], tuple[str, ...]]
"""Identifier -> the host names of that instance, which its certificate must have."""


def open_fleet(folder: Path, endpoints: Endpoints = lambda identifier: (identifier,)) -> Fleet:
    """An empty fleet in `folder`; what an earlier process left there is swept first (its state died with it).

    Its servers speak TLS, with an authority of the fleet's own, where the programs can.
    """
    sweep(folder)
    _passable(folder)
    account = server_account()
    root = folder.resolve()
    if account is not None and not account.can_enter(root):
        root = Path(tempfile.mkdtemp(prefix="rotator-fleet-"))
        root.chmod(0o711)
        write_whole(folder / ELSEWHERE, str(root), mode=OWNER_FILE)
    found = binaries.readable_by(binaries.find(), account, root / "programs")
    for name in ("instances", "snapshots"):
        _passable(root / name)
    return Fleet(root, found, Authority.make(root / "authority") if found.tls else None, endpoints)


def _passable(folder: Path) -> None:
    """A folder that the servers' user can pass through, whatever this process's umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def sweep(folder: Path) -> int:
    """Kill what a dead daemon left running below `folder` and remove the folder; gives the number of servers killed."""
    killed = 0
    for root in _roots(folder):
        for pid in _servers_below(root):
            processes.quit_server(pid)
            killed += 1
        shutil.rmtree(root)
    return killed


def _roots(folder: Path) -> Iterator[Path]:
    note = folder / ELSEWHERE
    if note.exists():
        elsewhere = Path(trust.read_private(note))
        if elsewhere.name.startswith("rotator-fleet-") and trust.private(elsewhere):
            yield elsewhere
    if folder.exists():
        yield folder.resolve()


def _servers_below(root: Path) -> frozenset[int]:
    """Servers by their pid files, and by the folder they work in (a start or an initdb that was cut short)."""
    clusters = (Cluster.load(each.parent) for each in root.glob("instances/*/cluster.json"))
    listed = {pid for pid in (cluster.pid() for cluster in clusters) if pid is not None}
    return frozenset(listed | processes.servers_working_below(root))


class Fleet:
    """Servers by identifier. Thread-safe: each server and each snapshot has a lock of its own."""

    def __init__(
        self, root: Path, programs: binaries.Binaries, authority: Authority | None, endpoints: Endpoints
    ) -> None:
        self._root = root
        self._programs = programs
        self._authority = authority
        self._endpoints = endpoints
        self._servers: dict[str, Cluster] = {}
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._known = known_by(programs)

    def create(
        self,
        identifier: str,
        user: str,
        password: str,
        database: str,
        parameters: Mapping[str, str],
        port: int = DATABASE_PORT,
    ) -> str:
        """A new server whose master user is `user`; gives its address."""
        with self._locked(f"instance {identifier}"):
            self._must_be_new(identifier)
            cluster = Cluster.create(
                self._folder(identifier),
                password=password,
                master=user,
                database=database or None,
                port=port,
                binaries=self._programs,
                extra=self._settings(parameters),
                taken=self._taken(),
                authority=self._authority,
                names=self._endpoints(identifier),
            )
            return self._keep(identifier, cluster)

    def snapshot(self, identifier: str, snapshot_id: str) -> None:
        """Crash-consistent copy; the server stands still for the time of the copy."""
        with self._locked(f"instance {identifier}", f"snapshot {snapshot_id}"):
            snapshots.take(self._server(identifier), self._snapshot(snapshot_id))

    def copy_snapshot(self, source_id: str, target_id: str) -> None:
        """A second copy of a snapshot's data."""
        with self._locked(f"snapshot {source_id}", f"snapshot {target_id}"):
            snapshots.duplicate(self._snapshot(source_id), self._snapshot(target_id))

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove a snapshot's data, if it is there."""
        with self._locked(f"snapshot {snapshot_id}"):
            if self._snapshot(snapshot_id).exists():
                shutil.rmtree(self._snapshot(snapshot_id))

    def restore(self, snapshot_id: str, identifier: str, parameters: Mapping[str, str]) -> str:
        """A new server from a snapshot, through crash recovery; gives its address."""
        with self._locked(f"instance {identifier}", f"snapshot {snapshot_id}"):
            self._must_be_new(identifier)
            cluster = snapshots.restore(
                self._snapshot(snapshot_id),
                self._folder(identifier),
                self._settings(parameters),
                self._taken(),
                self._endpoints(identifier),
            )
            return self._keep(identifier, cluster)

    def stop(self, identifier: str) -> None:
        """Clean shutdown; data and address stay."""
        with self._locked(f"instance {identifier}"):
            self._server(identifier).stop()

    def start(self, identifier: str) -> None:
        """Start again (on a new address if somebody took the old one)."""
        with self._locked(f"instance {identifier}"):
            self._keep(identifier, self._server(identifier).start())

    def reboot(self, identifier: str, parameters: Mapping[str, str]) -> None:
        """Stop and start with these parameters."""
        with self._locked(f"instance {identifier}"):
            cluster = self._server(identifier)
            cluster.stop()
            settings = replace(cluster.settings, extra=self._settings(parameters))
            self._keep(identifier, Cluster.place(cluster.folder, settings).start())

    def rename(self, identifier: str, new_identifier: str) -> None:
        """Only the name changes, and the certificate with it: folder, process and address stay."""
        with self._locked(f"instance {identifier}", f"instance {new_identifier}"):
            self._must_be_new(new_identifier)
            cluster = self._server(identifier).renamed(self._endpoints(new_identifier))
            with self._guard:
                del self._servers[identifier]
                self._servers[new_identifier] = cluster

    def set_password(self, identifier: str, password: str) -> None:
        """Change the master user's password."""
        with self._locked(f"instance {identifier}"):
            cluster = self._server(identifier)
            cluster.set_password(cluster.settings.master, password)

    def delete(self, identifier: str) -> None:
        """Kill the server and remove its data, if it is there."""
        with self._locked(f"instance {identifier}"):
            with self._guard:
                cluster = self._servers.pop(identifier, None)
            if cluster is not None:
                cluster.destroy()

    def addresses(self) -> Mapping[str, str]:
        """Identifier -> address, stopped servers too."""
        with self._guard:
            return {identifier: cluster.address for identifier, cluster in self._servers.items()}

    def refusal(self, name: str, value: str) -> str | None:
        """Why no parameter group may hold this parameter; None when one may."""
        return self._known.refusal(name, value)

    def log(self, identifier: str) -> Path:
        """The server's own log, from its first start on; it goes on in the same file after restarts."""
        return self._server(identifier).log

    def certificate(self) -> Path | None:
        """The file that clients verify the servers with; None: they speak no TLS."""
        return self._authority.certificate if self._authority else None

    def version(self) -> str:
        """Such as '15.18'."""
        return ".".join(str(part) for part in self._programs.version)

    def close(self) -> None:
        """Kill every server; folders stay until `sweep`."""
        with self._guard:
            servers = tuple(self._servers.values())
            self._servers.clear()
        for cluster in servers:
            cluster.kill()

    # --- how -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self, *names: str) -> Iterator[None]:
        with ExitStack() as stack:
            for name in sorted(set(names)):  # one order for all: no deadlock
                with self._guard:
                    lock = self._locks[name]
                stack.enter_context(lock)
            yield

    def _server(self, identifier: str) -> Cluster:
        with self._guard:
            cluster = self._servers.get(identifier)
        if cluster is None:
            raise SandboxError(f"there is no database server for instance {identifier!r}")
        return cluster

    def _must_be_new(self, identifier: str) -> None:
        if identifier in self.addresses():
            raise SandboxError(f"a database server for instance {identifier!r} exists already")

    def _keep(self, identifier: str, cluster: Cluster) -> str:
        with self._guard:
            self._servers[identifier] = cluster
        return cluster.address

    def _folder(self, identifier: str) -> Path:
        return self._root / "instances" / f"{next(self._numbers)}-{_plain(identifier)}"

    def _snapshot(self, snapshot_id: str) -> Path:
        return self._root / "snapshots" / _plain(snapshot_id).replace(":", "+")  # automated ones are called rds:NAME

    def _taken(self) -> frozenset[str]:
        return frozenset(self.addresses().values())

    def _settings(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """What of a parameter group this server takes: no formulas over an instance's memory, none of our own.

        What it does not know is left out too: a server would not start on it.
        """
        taken = {
            name: value
            for name, value in parameters.items()
            if self._known.readable(name) and name not in SETTINGS and "{" not in value
            if self.refusal(name, value) is None
        }
        return {**taken, "wal_level": wal_level(parameters)}


def _plain(name: str) -> str:
    """A name that leads to no other folder. Raises SandboxError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:-]*", name):
        raise SandboxError(f"{name!r} is no identifier of an instance or a snapshot")
    return name
