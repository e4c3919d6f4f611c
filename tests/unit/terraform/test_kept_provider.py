"""A provider that is kept for a command's plans: what a small program in its place makes of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.terraform.provider import VARIABLE, KeptProvider

ADDRESS = "registry.terraform.io/hashicorp/aws"
INSTALLED = f".terraform/providers/{ADDRESS}/5.100.0/linux_amd64/terraform-provider-aws_v5.100.0_x5"
TOLD = {ADDRESS: {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": 1, "Test": True, "Addr": {"String": "/s"}}}
SAYS = f"""#!/bin/sh
[ "$1" = -debug ] || exit 9
echo $$ > pid
: > "$TMPDIR/plugin123"
env > environ
cat <<'END'
Provider started. To attach Terraform CLI, set the TF_REATTACH_PROVIDERS environment variable with the following:

	TF_REATTACH_PROVIDERS='{json.dumps(TOLD)}'
END
exec sleep 600
"""
WAITS = 5.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / INSTALLED).parent.mkdir(parents=True)
    (tmp_path / "versions.tf").write_text('provider "aws" {\n  region = "eu-central-1"\n}\n')
    installed(tmp_path, SAYS)
    return tmp_path


def installed(root: Path, script: str) -> None:
    (root / INSTALLED).write_text(script)
    (root / INSTALLED).chmod(0o755)


@pytest.fixture
def kept(root: Path) -> Iterator[KeptProvider]:
    found = KeptProvider(root, {"PATH": os.environ["PATH"], "AWS_REGION": "eu-central-1", "AWS_CA_BUNDLE": "/ca.pem"})
    yield found
    found.close()


def pid(root: Path) -> int:
    return int((root / "pid").read_text())


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(process: int) -> bool:
    """Whether it is gone within a few seconds."""
    until = time.monotonic() + WAITS
    while is_alive(process) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(process)


def test_it_is_started_once_and_serves_every_run(root: Path, kept: KeptProvider) -> None:
    assert not (root / "pid").exists()
    assert json.loads(kept.environ()[VARIABLE]) == TOLD
    first = pid(root)
    assert json.loads(kept.environ()[VARIABLE]) == TOLD
    assert pid(root) == first
    kept.close()
    assert gone(first)


def test_its_socket_is_for_its_user_alone_and_goes(root: Path, kept: KeptProvider) -> None:
    kept.environ()
    environ = dict(line.split("=", 1) for line in (root / "environ").read_text().splitlines())
    folder = Path(environ["TMPDIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert environ["AWS_REGION"] == "eu-central-1"
    assert "AWS_CA_BUNDLE" not in environ
    kept.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\necho hello\nexec sleep 600 >/dev/null\n",
        "#!/bin/sh\necho \"TF_REATTACH_PROVIDERS='{broken'\"\nexit 0\n",
        "#!/bin/sh\necho \"TF_REATTACH_PROVIDERS='{}'\"\nexec sleep 600\n",
        "#!/no/such/interpreter\n",
    ],
    ids=["dies", "says nothing", "says garbage", "is another provider", "cannot run"],
)
def test_one_that_cannot_be_had_is_done_without(root: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.terraform.provider.START_SECONDS", 2.0)
    installed(root, script)
    kept = KeptProvider(root, {"PATH": os.environ["PATH"]})
    assert kept.environ() == {}
    installed(root, SAYS)
    assert kept.environ() == {}, "not tried again"
    assert not (root / "pid").exists()


def test_one_that_hangs_is_given_up_and_ended(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(root, "#!/bin/sh\necho $$ > pid\nexec sleep 600\n")
    monkeypatch.setattr("rotator.terraform.provider.START_SECONDS", 1.0)
    assert KeptProvider(root, {"PATH": os.environ["PATH"]}).environ() == {}
    assert gone(pid(root))


def test_one_that_has_died_is_noticed(root: Path, kept: KeptProvider) -> None:
    kept.environ()
    os.kill(pid(root), signal.SIGKILL)
    assert gone(pid(root))
    until = time.monotonic() + WAITS
    while kept.environ() and time.monotonic() < until:
        time.sleep(0.02)
    assert kept.environ() == {}


@pytest.mark.parametrize(
    "blocks",
    [
        'provider "aws" {}\nprovider "aws" {\n  alias = "dr"\n}\n',
        'provider "aws" {}\nprovider "random" {}\n',
        "# none\n",
    ],
)
def test_a_root_with_other_blocks_gets_none(root: Path, kept: KeptProvider, blocks: str) -> None:
    (root / "versions.tf").write_text(blocks)
    assert kept.environ() == {}
    assert not (root / "pid").exists()


def test_a_block_in_another_file_counts(root: Path, kept: KeptProvider) -> None:
    (root / "team.tf").write_text('  provider "aws" {\n    alias = "dr"\n  }\n')
    assert kept.environ() == {}


def test_the_user_can_do_without(root: Path) -> None:
    assert KeptProvider(root, {"PATH": os.environ["PATH"]}, enabled=False).environ() == {}
    assert not (root / "pid").exists()


def test_two_installed_versions_are_one_too_many(root: Path, kept: KeptProvider) -> None:
    other = root / INSTALLED.replace("5.100.0", "5.99.0")
    other.parent.mkdir(parents=True)
    other.write_text(SAYS)
    assert kept.environ() == {}


DRIVER = """
import os, sys
from pathlib import Path
from rotator.terraform.provider import KeptProvider
kept = KeptProvider(Path(sys.argv[1]), dict(os.environ))
print(len(kept.environ()), flush=True)
sys.stdin.read()
"""


def test_it_dies_with_a_driver_that_is_killed(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "1\n"
        provider = pid(root)
        assert is_alive(provider)
        folder = Path(
            next(line for line in (root / "environ").read_text().splitlines() if line.startswith("TMPDIR="))[7:]
        )
        assert folder.exists()
        driver.kill()
    assert gone(provider)
    until = time.monotonic() + WAITS
    while folder.exists():
        assert time.monotonic() < until, "its folder stays"
        time.sleep(0.02)
