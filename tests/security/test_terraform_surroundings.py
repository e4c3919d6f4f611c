"""A local user who leaves programs where somebody may look for them, and a provider that reads its environment.

What they would gain: commands run with the AWS credentials of whoever rotates, and the database's password.
"""

from __future__ import annotations

import grp
import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from rotator.config.schema import EnvConfig
from rotator.domain.errors import TerraformMissing
from rotator.host import trust
from rotator.sandbox.postgres import binaries
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env
from rotator.terraform.mirror import found_mirror

REPOSITORY = Path(__file__).resolve().parents[2]
PROVIDER = Path("registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")
STRANGER = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def config(password_env: str = "ORDERS_LOGIN", **terraform: object) -> EnvConfig:
    return EnvConfig.model_validate(
        {
            "aws": {"region": "eu-central-1"},
            "database": {"identifier": "orders", "credentials": {"password_env": password_env}},
            "dns": {"zone": "example.org", "record": "db.example.org"},
            "key": {"alias": "alias/orders"},
            "terraform": terraform,
        }
    )


def program(file: Path, text: str = 'echo \'{"terraform_version": "1.12.0"}\'') -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\ntouch '{file}.ran'\n{text}\n")
    file.chmod(0o755)
    return file


def ran(file: Path) -> bool:
    return Path(f"{file}.ran").exists()


# --- what Terraform and its providers are told ---------------------------------------------------------------------


def test_terraform_does_not_see_what_it_does_not_need(tmp_path: Path) -> None:
    """A provider, a provisioner or a credential helper prints its environment into a log."""
    secrets = {
        "PGPASSWORD": "s",
        "ORDERS_LOGIN": "s",
        "GITHUB_TOKEN": "s",
        "VAULT_TOKEN": "s",
        "DATABASE_URL": "s",
        "LD_PRELOAD": "/tmp/x.so",
        "TF_VAR_generations": "{}",
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_REATTACH_PROVIDERS": "{}",
    }
    needed = {"HOME": "/root", "AWS_PROFILE": "ops", "https_proxy": "http://p:1", "LC_ALL": "C", "TF_TOKEN_x": "t"}
    seen = terraform_env(config(), tmp_path / "work", {**secrets, **needed, "PATH": "/bin"}, opt=tmp_path)
    assert not secrets.keys() & seen.keys()
    assert needed.items() <= seen.items()


@pytest.mark.parametrize("name", ["TF_DB_PASSWORD", "AWS_DB_PASSWORD", "LC_PASSWORD", "USER"])
def test_the_databases_password_is_not_passed_whatever_its_variable_is_called(tmp_path: Path, name: str) -> None:
    seen = terraform_env(config(name), tmp_path / "work", {name: "s3cret", "PATH": "/bin"}, opt=tmp_path)
    assert "s3cret" not in seen.values()


def test_what_providers_need_is_named(tmp_path: Path) -> None:
    chosen = config(pass_environment=["VAULT_ADDR", "TF_VAR_team"])
    given = {"VAULT_ADDR": "https://v", "TF_VAR_team": "t", "VAULT_TOKEN": "s", "PATH": "/bin"}
    seen = terraform_env(chosen, tmp_path / "work", given, opt=tmp_path)
    assert (seen["VAULT_ADDR"], seen["TF_VAR_team"], "VAULT_TOKEN" in seen) == ("https://v", "t", False)


@pytest.mark.parametrize("name", ["ORDERS_LOGIN", "PGPASSWORD", "LD_PRELOAD", "TF_CLI_ARGS_plan", "PATH", "a=b"])
def test_some_are_never_passed(name: str) -> None:
    with pytest.raises(ValidationError):
        config(pass_environment=[name])


def test_terraforms_own_path_leads_to_no_relative_folder(tmp_path: Path) -> None:
    """A provisioner or credential_process is looked up while Terraform stands in the root's folder."""
    seen = terraform_env(None, tmp_path / "work", {"PATH": f".:/bin::tools:{tmp_path}"}, opt=tmp_path)
    assert seen["PATH"] == f"/bin:{tmp_path}"


# --- which Terraform, which provider, which servers ------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["", ".", "tools"])
def test_a_terraform_in_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    planted = program(tmp_path / entry / "terraform")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TerraformMissing) as refused:
        find_terraform(None, tmp_path / "project", {"PATH": f"{entry}:/nonexistent"})
    assert not ran(planted)
    assert "relative folder" in refused.value.why


def test_a_word_in_rotation_toml_is_no_file_of_the_project(tmp_path: Path) -> None:
    planted = program(tmp_path / "terraform-1.12")
    with pytest.raises(TerraformMissing, match=r"rotation\.toml"):
        find_terraform("terraform-1.12", tmp_path, {"PATH": "/nonexistent"})
    assert not ran(planted)


@pytest.mark.parametrize("where", ["file", "folder", "folder above", "link"])
def test_a_terraform_that_others_can_write_is_not_run(tmp_path: Path, where: str) -> None:
    planted = program(tmp_path / "above" / "bin" / "terraform")
    opened = {"file": planted, "folder": planted.parent, "folder above": planted.parents[1], "link": planted.parent}
    opened[where].chmod(0o777)
    folder = planted.parent
    if where == "link":
        folder = tmp_path / "clean"
        folder.mkdir()
        (folder / "terraform").symlink_to(planted)
    with pytest.raises(TerraformMissing) as refused:
        find_terraform(None, tmp_path / "project", {"PATH": str(folder)})
    assert not ran(planted)
    assert "everybody may write" in refused.value.why
    with pytest.raises(TerraformMissing):
        find_terraform(str(folder / "terraform"), tmp_path / "project", {"PATH": "/bin"})
    assert not ran(planted)


@as_root
@pytest.mark.parametrize("what", ["terraform", "pg_config", "postgres"])
def test_a_strangers_program_is_not_run(tmp_path: Path, what: str) -> None:
    planted = program(tmp_path / "bin" / what)
    program(tmp_path / "bin" / "initdb")
    os.chown(planted, STRANGER, STRANGER)
    path = str(tmp_path / "bin")
    if what == "terraform":
        with pytest.raises(TerraformMissing, match="no usable Terraform"):
            find_terraform(None, tmp_path / "project", {"PATH": path})
    else:
        assert binaries.find({"PATH": path}).folder != planted.parent
    assert not ran(planted)


def mirror(folder: Path) -> Path:
    program(folder / PROVIDER / "terraform-provider-aws_v5.100.0")
    return folder


@pytest.mark.parametrize(
    "opened", ["", PROVIDER.parts[0], str(PROVIDER), f"{PROVIDER}/terraform-provider-aws_v5.100.0"]
)
def test_a_mirror_that_others_can_write_is_passed_over(tmp_path: Path, opened: str) -> None:
    """/opt/aaa comes first by its name; the provider in it is run with the AWS credentials."""
    first, second = mirror(tmp_path / "opt" / "aaa"), mirror(tmp_path / "opt" / "plugins")
    assert found_mirror(tmp_path / "opt") == first
    (first / opened).chmod(0o777)
    assert found_mirror(tmp_path / "opt") == second


@as_root
def test_a_strangers_mirror_is_passed_over(tmp_path: Path) -> None:
    first = mirror(tmp_path / "opt" / "aaa")
    os.chown(first, STRANGER, STRANGER)
    assert found_mirror(tmp_path / "opt") is None


def test_make_takes_no_program_from_the_current_folder(tmp_path: Path) -> None:
    """`PATH=.:$PATH`, and a planted awk in a clone of somebody's branch or in the folder where make is typed."""
    planted = program(tmp_path / "awk", "exit 0")
    search = f".::{tmp_path / 'my tools'}:{os.environ['PATH']}"
    (tmp_path / "my tools").mkdir()
    done = subprocess.run(
        ["make", "-f", str(REPOSITORY / "Makefile"), "help"],
        cwd=tmp_path, env={"PATH": search, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "usage: make TARGET" in done.stdout
    assert not ran(planted)


# --- the rule itself -----------------------------------------------------------------------------------------------


def test_a_sticky_folder_on_the_way_is_no_problem_but_at_the_end_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "mine").mkdir()
    assert trust.problem(shared / "mine") is None
    assert trust.problem(shared) == f"everybody may write to {shared}"


@as_root
def test_a_group_that_this_machine_does_not_know_may_have_members(tmp_path: Path) -> None:
    unknown = next(gid for gid in range(54321, 60000) if gid not in {each.gr_gid for each in grp.getgrall()})
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, -1, unknown)
    shared.chmod(0o775)
    assert trust.problem(shared) == f"a group with other members ({unknown}) may write to {shared}"


def test_links_are_followed_through_every_folder(tmp_path: Path) -> None:
    target = tmp_path / "open" / "real"
    target.mkdir(parents=True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to("../open/real")
    assert trust.problem(tmp_path / "a" / "link") is None
    (tmp_path / "open").chmod(0o777)
    assert "everybody may write" in (trust.problem(tmp_path / "a" / "link") or "")
    (tmp_path / "loop").symlink_to("loop")
    assert "too many links" in (trust.problem(tmp_path / "loop") or "")
