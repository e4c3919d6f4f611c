"""The whole local AWS, as its own daemon: what is in it, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from sandbox_env import small_env

from rotator.config.sandbox import SandboxNotRunning, located
from rotator.config.schema import Env
from rotator.network.resolver import ClientResolver
from rotator.sandbox.daemon import commands, home
from rotator.sandbox.daemon.status import SandboxStatus
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.postgres import processes

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    made = small_env(tmp_path_factory.mktemp("project"))
    commands.up(made)
    yield made
    commands.down(made)


def client(env: Env, service: str) -> Any:
    exports = commands.exports(env)
    session: Any = boto3.Session(
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
        region_name=exports["AWS_REGION"],
    )
    return session.client(service, endpoint_url=exports["AWS_ENDPOINT_URL"])


def password(env: Env) -> str:
    document = client(env, "secretsmanager").get_secret_value(SecretId="shop/db")["SecretString"]
    return str(json.loads(document)["password"])


def customers(status: SandboxStatus, identifier: str) -> int:
    dsn = next(each.dsn for each in status.instances if each.identifier == identifier)
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM shop.customer").fetchone()
    assert row is not None
    return int(row[0])


def available(env: Env, kind: str, **which: str) -> Any:
    ask = getattr(client(env, "rds"), f"describe_db_{kind}s")
    found: list[Any] = []

    def there() -> bool:
        found[:] = next(iter(value for value in ask(**which).values() if isinstance(value, list)))
        return bool({found[0].get("Status"), found[0].get("DBInstanceStatus")} & {"available"})

    processes.wait_until(there, 60.0, f"{which} does not become available", every=0.1)
    return found[0]


def test_status_has_the_documented_shape(env: Env) -> None:
    document = commands.status(env).to_json()
    assert {"endpoint_url", "region", "dns", "instances"} <= document.keys()
    assert document["endpoint_url"] == located(env).config.aws.endpoint_url
    assert document["dns"] == located(env).config.dns.resolver
    (instance,) = document["instances"]
    assert set(instance) == {"identifier", "endpoint", "address", "port", "dsn"}
    assert instance["identifier"] == "shop-db"
    assert instance["endpoint"].endswith(".eu-central-1.rds.amazonaws.com")
    assert json.loads(json.dumps(document)) == document


def test_a_second_up_describes_the_first(env: Env) -> None:
    before = home.find(env)
    said: list[str] = []
    assert commands.up(env, said.append).instances == commands.status(env).instances
    assert (home.find(env), said) == (before, ["the sandbox runs already"])


def test_names_lead_to_the_seeded_database(env: Env) -> None:
    status = commands.status(env)
    resolver = ClientResolver(status.dns)
    assert resolver.cname("db.shop.internal") == status.instances[0].endpoint
    assert resolver.addresses("db.shop.internal") == (status.instances[0].address,)
    assert customers(status, "shop-db") > 0


def test_the_world_is_what_somebody_made_by_hand(env: Env) -> None:
    instance = client(env, "rds").describe_db_instances(DBInstanceIdentifier="shop-db")["DBInstances"][0]
    key = client(env, "kms").describe_key(KeyId="alias/shop-db-legacy")["KeyMetadata"]
    assert instance["KmsKeyId"] == key["Arn"]
    assert (key["KeyManager"], key["KeyUsage"]) == ("CUSTOMER", "ENCRYPT_DECRYPT")
    assert instance["DeletionProtection"]


def test_writers_write_and_lose_nothing(env: Env) -> None:
    before = commands.canary(env)["acknowledged"]
    processes.wait_until(lambda: commands.canary(env)["acknowledged"] > before, 20.0, "no write is acknowledged")
    report = commands.canary(env)
    assert (report["lost"], report["doubled"], report["writers"]) == (0, 0, 2)


def test_a_reencrypted_copy_restores_with_the_data(env: Env) -> None:
    rds = client(env, "rds")
    new = client(env, "kms").create_key()["KeyMetadata"]["Arn"]
    rds.create_db_snapshot(DBInstanceIdentifier="shop-db", DBSnapshotIdentifier="cut")
    available(env, "snapshot", DBSnapshotIdentifier="cut")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="cut", TargetDBSnapshotIdentifier="cut-new", KmsKeyId=new)
    available(env, "snapshot", DBSnapshotIdentifier="cut-new")
    available(env, "instance", DBInstanceIdentifier="shop-db")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="green", DBSnapshotIdentifier="cut-new")
    green = available(env, "instance", DBInstanceIdentifier="green")
    assert green["KmsKeyId"] == new
    status = commands.status(env)
    assert customers(status, "green") == customers(status, "shop-db")
    assert len({each.address for each in status.instances}) == 2


def test_the_password_is_nowhere_to_be_read(env: Env) -> None:
    secret = password(env).encode()
    place = home.find(env)
    assert place is not None
    assert secret in place.passwords.read_bytes()  # the one place, for its owner alone
    assert place.passwords.stat().st_mode & 0o777 == 0o600
    logs = [place.log, *place.path.rglob("*.log"), *env.path.rglob("*")]
    assert not [each for each in logs if each.is_file() and secret in each.read_bytes()]
    assert secret.decode() not in json.dumps(commands.status(env).to_json())
    arguments = [Path(f"/proc/{pid}/cmdline") for pid in processes.table()]
    assert not [each for each in arguments if each.exists() and secret in each.read_bytes()]


def test_clones_and_envs_of_one_machine_have_a_sandbox_each(env: Env, tmp_path: Path) -> None:
    """Two more, started at the same time beside the module's own: another clone's env of the same name, another env."""
    clone = small_env(tmp_path, env.name)
    others = [clone, small_env(tmp_path, "second")]
    committed = [(each.path / "rotation.toml").read_bytes() for each in others]
    assert committed[0] == (env.path / "rotation.toml").read_bytes()
    try:
        with ThreadPoolExecutor() as pool:
            shown = [commands.status(env), *pool.map(commands.up, others)]
        assert len({each.endpoint_url for each in shown}) == len({each.dns for each in shown}) == len(shown)
        servers = [(one.address, one.port) for each in shown for one in each.instances]
        assert len(set(servers)) == len(servers) >= len(shown)
        assert [ClientResolver(each.dns).cname("db.shop.internal") for each in shown] == [
            each.instances[0].endpoint for each in shown
        ]
        assert [(each.path / "rotation.toml").read_bytes() for each in others] == committed
    finally:
        gone = [commands.down(each) for each in others]
    assert [each.was_running for each in gone] == [True, True]
    assert commands.status(env).running
    with pytest.raises(SandboxNotRunning):
        located(clone)


def test_a_copied_env_does_not_take_the_sandbox_of_the_first(env: Env, tmp_path: Path) -> None:
    copy = small_env(tmp_path, env.name)
    shutil.copytree(env.path / ".rotator", copy.path / ".rotator")
    with pytest.raises(SandboxNotRunning, match="does not run"):
        located(copy)
    with pytest.raises(SandboxNotRunning):
        commands.exports(copy)
    shown = commands.status(copy)
    assert (shown.running, shown.endpoint_url, shown.dns) == (False, None, None)


def test_another_program_on_the_port(env: Env, tmp_path: Path) -> None:
    port = int(commands.exports(env)["AWS_ENDPOINT_URL"].rpartition(":")[2])
    other = small_env(tmp_path, "other", http=port)
    with pytest.raises(SandboxError) as refused:
        commands.up(other)
    assert (refused.value.code, str(port) in refused.value.what) == ("sandbox-port-taken", True)
    assert "remove aws.endpoint_url" in refused.value.fix
    assert (home.find(other), sorted(each.name for each in other.path.iterdir())) == (None, ["rotation.toml"])


def test_a_port_of_the_dns_server_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = small_env(tmp_path, "other", dns=taken.getsockname()[1])
        with pytest.raises(SandboxError) as refused:
            commands.up(other)
    assert (refused.value.code, "remove dns.resolver" in refused.value.fix) == ("sandbox-port-taken", True)
    assert home.find(other) is None


def describing(folder: Path) -> list[int]:
    """Processes that work in the folder, or name it in their arguments."""
    return [pid for pid in processes.table() if processes.state(pid) not in (None, "Z") and _about(pid, str(folder))]


def _about(pid: int, folder: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        return folder in words or os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_down_leaves_nothing(tmp_path: Path, killed: bool) -> None:
    env = small_env(tmp_path)
    commands.up(env)
    for name in ("terraform.tfstate", "terraform.tfstate.backup", "generations.auto.tfvars.json", "journal.json"):
        (env.path / name).write_text("{}")
    place = home.find(env)
    assert place is not None
    if killed:
        pid = place.daemon()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert not commands.status(env).running
    gone = commands.down(env)
    assert (gone.was_running, gone.killed > 0) == (not killed, killed)
    assert not place.path.exists()
    assert not describing(place.path)
    assert [each.name for each in env.path.iterdir()] == ["rotation.toml"]
    assert commands.down(env).to_json() == {"running": False, "was_running": False, "killed": 0, "removed": []}


def test_up_after_a_kill_starts_afresh(tmp_path: Path) -> None:
    env = small_env(tmp_path)
    try:
        first = commands.up(env)
        place = home.find(env)
        assert place is not None
        os.kill(place.daemon() or 0, signal.SIGKILL)
        (env.path / "journal.json").write_text("{}")
        said: list[str] = []
        second = commands.up(env, said.append)
        assert second.running
        assert not place.path.exists()
        assert not (env.path / "journal.json").exists()
        assert any("earlier sandbox" in line for line in said)
        assert first.instances[0].endpoint == second.instances[0].endpoint
    finally:
        commands.down(env)
