"""Which Terraform is run, and fetching one."""

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rotator.domain.errors import TerraformMissing
from rotator.terraform import binary
from rotator.terraform.fetch import PINNED, SUMS, fetch_terraform


def fake(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


def only(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin")}


def test_the_configured_one_comes_first(tmp_path: Path, project: Path, environ: dict[str, str]) -> None:
    fake(tmp_path / "bin" / "terraform", "1.11.0")
    chosen = fake(project / "tools" / "tf", "1.12.0")
    assert binary.find_terraform("tools/tf", project, environ) == chosen


def test_a_configured_name_is_looked_up_on_the_path(tmp_path: Path, project: Path, environ: dict[str, str]) -> None:
    chosen = fake(tmp_path / "bin" / "terraform-1.12", "1.12.0")
    assert binary.find_terraform("terraform-1.12", project, environ) == chosen


def test_a_configured_one_that_is_too_old_is_refused_and_not_passed_over(
    tmp_path: Path, project: Path, environ: dict[str, str]
) -> None:
    fake(tmp_path / "bin" / "terraform", "1.11.0")
    old = fake(tmp_path / "old", "1.9.8")
    with pytest.raises(TerraformMissing, match=r"rotation\.toml") as caught:
        binary.find_terraform(str(old), project, environ)
    assert "1.9.8" in caught.value.why


def test_the_projects_own_comes_before_the_path(tmp_path: Path, project: Path, environ: dict[str, str]) -> None:
    fake(tmp_path / "bin" / "terraform", "1.11.0")
    own = fake(binary.own_binary(project), "1.11.4")
    assert binary.find_terraform(None, project, environ) == own


def test_an_own_one_that_is_too_old_is_passed_over(tmp_path: Path, project: Path, environ: dict[str, str]) -> None:
    on_path = fake(tmp_path / "bin" / "terraform", "1.10.0")
    fake(binary.own_binary(project), "1.5.7")
    assert binary.find_terraform(None, project, environ) == on_path


def test_none_at_all(tmp_path: Path, project: Path, environ: dict[str, str]) -> None:
    with pytest.raises(TerraformMissing) as caught:
        binary.find_terraform(None, project, only(tmp_path))
    assert "does not exist" in caught.value.why
    assert "make terraform" in caught.value.fix
    assert int(caught.value.exit_code) == 30


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\necho '{}'\n", "\x7fELF"]
)
def test_something_that_is_no_terraform(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    path = tmp_path / "terraform"
    path.write_text(text)
    path.chmod(0o755)
    with pytest.raises(TerraformMissing):
        binary.terraform_version(path, environ)


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", "BUSL")
        archive.writestr("terraform", content)
    return buffer.getvalue()


RELEASE = zipped(b'#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
GOOD = {"linux_amd64": hashlib.sha256(RELEASE).hexdigest()}


class Releases(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == f"/good/{PINNED}/terraform_{PINNED}_linux_amd64.zip"
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(RELEASE) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(RELEASE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Releases) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_good_release_is_installed_and_runs(server: str, tmp_path: Path, environ: dict[str, str]) -> None:
    dest = tmp_path / "new" / "bin" / "terraform"
    assert fetch_terraform(dest, base_url=f"{server}/good", sums=GOOD, target="linux_amd64") == dest
    assert str(binary.terraform_version(dest, environ)) == "1.11.4"
    assert [path.name for path in dest.parent.iterdir()] == ["terraform"]


def test_a_release_with_another_sum_leaves_nothing_behind(server: str, tmp_path: Path) -> None:
    dest = tmp_path / "bin" / "terraform"
    with pytest.raises(TerraformMissing) as caught:
        fetch_terraform(dest, base_url=f"{server}/good", sums={"linux_amd64": "0" * 64}, target="linux_amd64")
    assert GOOD["linux_amd64"] in caught.value.why
    assert "0" * 64 in caught.value.why
    assert not dest.parent.exists()


def test_a_release_with_another_sum_leaves_an_older_binary_alone(server: str, tmp_path: Path) -> None:
    dest = fake(tmp_path / "bin" / "terraform", "1.10.0")
    old = dest.read_bytes()
    with pytest.raises(TerraformMissing):
        fetch_terraform(dest, base_url=f"{server}/good", sums={"linux_amd64": "0" * 64}, target="linux_amd64")
    assert dest.read_bytes() == old


def test_a_missing_release_and_a_dead_server(server: str, tmp_path: Path) -> None:
    for base in (f"{server}/bad", "http://127.0.0.1:9/", "file:///etc"):
        with pytest.raises(TerraformMissing) as caught:
            fetch_terraform(tmp_path / "x", base_url=base, sums=GOOD, target="linux_amd64", timeout_seconds=5)
        assert caught.value.fix


def test_a_platform_without_a_sum(tmp_path: Path) -> None:
    with pytest.raises(TerraformMissing, match="plan9_mips"):
        fetch_terraform(tmp_path / "x", target="plan9_mips")


def test_the_pinned_sums_cover_the_four_platforms() -> None:
    assert set(SUMS) == {"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"}
    assert all(len(value) == 64 and int(value, 16) for value in SUMS.values())
    assert len(set(SUMS.values())) == 4


def test_the_command_line_says_what_to_do_and_ends_30(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    dead = ["--project", str(project), "--fetch", "--base-url", "http://127.0.0.1:9"]
    assert binary.main(dead) == 30
    said = capsys.readouterr()
    assert said.out == ""
    assert "cannot be fetched" in said.err
    assert "fix:" in said.err


def test_the_command_line_prints_the_path_it_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = fake(binary.own_binary(project), "1.11.4")
    assert binary.main(["--project", str(project)]) == 0
    assert capsys.readouterr().out.strip() == str(own)
