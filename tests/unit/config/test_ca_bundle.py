"""The file of certificates that servers are verified with: where it is, and what is doubtful in it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from rotator.config.ca_bundle import MONTH, Bundle, Certificate, bundle, doubts, trusted
from rotator.config.load import load_env
from rotator.config.schema import Env
from rotator.domain.errors import ConfigError
from rotator.sandbox.postgres.authority import Authority

NOW = 1_800_000_000.0
NAME = "Amazon RDS eu-central-1 Root CA RSA2048 G1"
TEXT = """
[aws]
region = "eu-central-1"
[database]
identifier = "orders-db"
{more}
[dns]
zone = "example.com"
record = "orders.example.com"
[key]
alias = "alias/orders"
"""


def env(root: Path, more: str = "") -> Env:
    folder = root / "envs" / "orders"
    folder.mkdir(parents=True)
    (folder / "rotation.toml").write_text(TEXT.format(more=more))
    return load_env(root, "orders")


@pytest.mark.parametrize("folder", ["project", "a project; echo"])
def test_without_a_bundle_nothing_is_connected_to_and_the_command_is_told(tmp_path: Path, folder: str) -> None:
    tmp_path = tmp_path / folder
    with pytest.raises(ConfigError) as caught:
        trusted(env(tmp_path))
    path = tmp_path / "envs" / "rds-global-bundle.pem"
    assert caught.value.code == "no-ca-bundle"
    assert f"curl -fsSo {shlex.quote(str(path))} https://truststore.pki.rds.amazonaws.com/" in caught.value.fix


def test_the_bundle_beside_the_envs_is_taken_and_read(tmp_path: Path) -> None:
    orders = env(tmp_path)
    made = Authority.make(tmp_path / "authority", NAME)
    path = tmp_path / "envs" / "rds-global-bundle.pem"
    path.write_bytes(made.certificate.read_bytes())
    found = bundle(orders)
    assert found is not None
    assert (trusted(orders), [each.name for each in found.certificates]) == (str(path), [NAME])


def test_a_path_is_taken_from_the_envs_folder_on(tmp_path: Path) -> None:
    orders = env(tmp_path, 'sslrootcert = "own.pem"')
    made = Authority.make(tmp_path / "authority")
    (orders.path / "own.pem").write_bytes(made.certificate.read_bytes())
    assert trusted(orders) == str(orders.path / "own.pem")


@pytest.mark.parametrize("content", ["", "<html>not found</html>"])
def test_what_holds_no_certificate_is_refused(tmp_path: Path, content: str) -> None:
    orders = env(tmp_path)
    (tmp_path / "envs" / "rds-global-bundle.pem").write_text(content)
    with pytest.raises(ConfigError) as caught:
        trusted(orders)
    assert caught.value.code == "no-ca-bundle"


@pytest.mark.parametrize(
    ("more", "wanted"),
    [('sslmode = "require"', None), ('sslrootcert = "system"', "system"), ('sslmode = "prefer"', None)],
)
def test_modes_that_need_no_file_of_ours(tmp_path: Path, more: str, wanted: str | None) -> None:
    assert trusted(env(tmp_path, more)) == wanted


def made(until: float = NOW + 60 * MONTH, changed: float = NOW) -> Bundle:
    return Bundle(Path(os.devnull), changed, (Certificate(NAME, until),))


@pytest.mark.parametrize(
    ("found", "authority", "region", "said"),
    [
        (made(), "rds-ca-rsa2048-g1", "eu-central-1", ""),
        (made(), None, "eu-central-1", ""),
        (made(), "my-own", "eu-central-1", ""),
        (made(), "rds-ca-ecc384-g1", "eu-central-1", "no certificate of rds-ca-ecc384-g1"),
        (made(), "rds-ca-rsa2048-g1", "eu-west-1", "in eu-west-1"),
        (made(until=NOW + 5 * MONTH), "rds-ca-rsa2048-g1", "eu-central-1", f"{NAME} in it ends 2027-06-14"),
        (made(changed=NOW - 13 * MONTH), "rds-ca-rsa2048-g1", "eu-central-1", "older than 12 months"),
    ],
)
def test_doubts(found: Bundle, authority: str | None, region: str, said: str) -> None:
    heard = doubts(found, authority, region, NOW)
    assert len(heard) == bool(said)
    assert said in "".join(heard)
