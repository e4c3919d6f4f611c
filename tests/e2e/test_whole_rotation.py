"""A whole rotation on real parts: Terraform, the AWS provider, PostgreSQL servers, DNS, and clients that never stop."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from planted import Planted, blobs, planted_in
from project import Project, make_project
from rights import documented

from rotator.config.load import load_env
from rotator.network.resolver import ClientResolver
from rotator.sandbox.daemon.commands import calls
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env

pytestmark = [pytest.mark.e2e, pytest.mark.terraform, pytest.mark.postgres]


RIGHTS_WITHOUT_A_CALL = {
    "kms:CreateGrant",  # RDS asks for it in the caller's name
    "kms:EnableKey",  # a retirement that is taken back
    "kms:TagResource",  # goes with CreateKey
    "rds:AddTagsToResource",  # goes with what makes snapshots and instances
    "rds:ListTagsForResource",  # providers of other versions
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = make_project(tmp_path_factory.mktemp("whole"))
    # A rate that leaves room for the other tests of the same machine.
    project.setting(r"^writers = 8$", "writers = 4\nseed_mb = 20")
    project.setting(r"^writes_per_second = 500.0$", "writes_per_second = 100.0")
    up = project.run("sandbox", "up", "local", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield project
    down = project.run("sandbox", "down", "local")
    assert down.returncode == 0, down.stderr


@pytest.fixture(scope="module")
def password(project: Project) -> str:
    secret = project.client("secretsmanager").get_secret_value(SecretId="shop-db/master")
    return str(json.loads(secret["SecretString"])["password"])


@pytest.fixture(scope="module")
def planted(project: Project, password: str) -> Iterator[Planted]:
    """What no artefact may hold; at work on blue until it is gone."""
    planted = Planted({"master password": [password], "secret of the AWS key": [project.key.secret]})
    address = ClientResolver(project.dns).addresses(_instance(project, "shop-db")["Endpoint"]["Address"])[0]
    with planted_in(f"hostaddr={address} user=shop_admin password={password} dbname=shop", planted):
        yield planted


@pytest.fixture(scope="module")
def old_key(project: Project) -> str:
    return str(_instance(project, "shop-db")["KmsKeyId"])


@pytest.fixture(scope="module")
def rotated(project: Project, old_key: str, planted: Planted) -> dict[str, Any]:
    """Killed with SIGKILL while AWS re-encrypts, then run again: the second run goes on, and its summary is given."""
    with project.start("rotate", "local") as first:
        assert first.stdout is not None
        for line in first.stdout:
            project.outputs.append(line)
            if "re-encrypt: start" in line:
                first.kill()
                break
        assert first.wait() == -signal.SIGKILL, "".join(project.outputs)
    summary: dict[str, Any] = project.json("rotate", "local")
    return summary


@pytest.fixture(scope="module")
def retired(project: Project, rotated: dict[str, Any]) -> dict[str, Any]:
    summary: dict[str, Any] = project.json("retire", "local")
    return summary


def _instance(project: Project, identifier: str) -> dict[str, Any]:
    found = project.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)
    return dict(found["DBInstances"][0])


def _terraform_plan(project: Project) -> subprocess.CompletedProcess[str]:
    outside = {"AWS_ENDPOINT_URL": project.endpoint, "AWS_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": project.key.key_id, "AWS_SECRET_ACCESS_KEY": project.key.secret}
    environ = terraform_env(None, project.root / ".rotator", project.environ(**outside, **keys))
    binary = find_terraform(None, project.root, environ)
    return subprocess.run(
        [str(binary), "plan", "-detailed-exitcode", "-input=false", "-no-color"],
        cwd=project.env, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_no_write_is_lost_and_none_doubled(rotated: dict[str, Any]) -> None:
    assert rotated["canary"]["acknowledged"] > 0
    assert rotated["canary"]["lost"] == 0
    assert rotated["canary"]["doubled"] == 0
    assert rotated["rows_verified"] > 10_000


def test_writers_waited_for_the_window_alone(rotated: dict[str, Any]) -> None:
    """No figure here: a busy machine breaks any. All parts were measured, and nobody was refused for another reason."""
    assert rotated["strategy"] == "replicate"
    assert set(rotated["pause_parts"]) == {"fence", "drain", "recheck", "sequences", "seal", "open", "flip"}
    assert rotated["write_pause_seconds"] == pytest.approx(sum(rotated["pause_parts"].values()), abs=0.01)
    reasons = {"25006", "57P01", "57014", "08006", "connect", "broken", "older", "dns", "name"}
    assert set(rotated["canary"]["refusals"]) <= reasons
    assert min(rotated["canary"]["kinds"].values()) > 0


def test_the_way_back_is_open_until_retire(project: Project, rotated: dict[str, Any]) -> None:
    assert "reverse replication open: rollback loses no write" in project.json("status", "local")["replication"]


def test_aws_itself_says_that_green_is_under_the_new_key(
    project: Project, rotated: dict[str, Any], old_key: str
) -> None:
    green = _instance(project, "shop-db-g1")
    key = project.client("kms").describe_key(KeyId="alias/shop-db-g1")["KeyMetadata"]
    assert green["KmsKeyId"] == key["Arn"] == rotated["new_key_arn"]
    assert green["KmsKeyId"] != old_key
    assert green["StorageEncrypted"] is True


def test_the_name_resolves_to_green_and_takes_writes(project: Project, rotated: dict[str, Any], password: str) -> None:
    resolver = ClientResolver(project.dns)
    green = _instance(project, "shop-db-g1")["Endpoint"]["Address"]
    assert resolver.cname("db.sandbox.internal") == green
    address = resolver.addresses("db.sandbox.internal")[0]
    with psycopg.connect(
        host="db.sandbox.internal",
        hostaddr=address,
        user="shop_admin",
        password=password,
        dbname="shop",
        autocommit=True,
    ) as connection:
        connection.execute("create table written_after_the_flip (id int)")
        connection.execute("drop table written_after_the_flip")


def test_sessions_and_the_link_were_encrypted_and_verified(project: Project, rotated: dict[str, Any]) -> None:
    journal = json.loads((project.env / "journal.json").read_text())
    steps = journal["rotations"][-1]["steps"]
    said = [
        steps[step]["outputs"][word]
        for step, word in (("preflight", "encryption"), ("catch-up", "link"), ("validate", "encryption"))
    ]
    assert said == [said[0]] * 3
    assert said[0].startswith("TLSv1.")
    assert said[0].endswith("authority and name verified")


def test_blue_is_still_there_and_fenced(project: Project, rotated: dict[str, Any]) -> None:
    assert _instance(project, "shop-db")["DBInstanceStatus"] == "available"
    assert project.json("status", "local")["fenced"] is True


def test_the_plan_is_clean_after_the_rotation(project: Project, rotated: dict[str, Any]) -> None:
    plan = _terraform_plan(project)
    assert plan.returncode == 0, plan.stdout + plan.stderr


def test_retiring_leaves_nothing_under_the_old_key(
    project: Project, retired: dict[str, Any], old_key: str, rotated: dict[str, Any]
) -> None:
    rds, kms = project.client("rds"), project.client("kms")
    assert [i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]] == ["shop-db-g1"]
    snapshots = rds.describe_db_snapshots()["DBSnapshots"]
    assert [s["DBSnapshotIdentifier"] for s in snapshots if s["KmsKeyId"] == old_key] == []
    assert kms.describe_key(KeyId=old_key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert retired["canary"]["lost"] == retired["canary"]["doubled"] == 0


def test_the_plan_is_clean_after_retiring(project: Project, retired: dict[str, Any]) -> None:
    plan = _terraform_plan(project)
    assert plan.returncode == 0, plan.stdout + plan.stderr


def test_the_final_snapshot_can_be_restored_under_the_new_key(
    project: Project, retired: dict[str, Any], password: str
) -> None:
    rds = project.client("rds")
    name = retired["snapshots"]["final, re-encrypted"]
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="proof", DBSnapshotIdentifier=name)
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier="proof", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    proof = _instance(project, "proof")
    assert proof["KmsKeyId"] == _instance(project, "shop-db-g1")["KmsKeyId"]
    address = ClientResolver(project.dns).addresses(proof["Endpoint"]["Address"])[0]
    with psycopg.connect(hostaddr=address, user="shop_admin", password=password, dbname="shop") as connection:
        rows = connection.execute("select count(*) from canary.writes").fetchone()
    assert rows is not None
    assert rows[0] > 0
    rds.delete_db_instance(DBInstanceIdentifier="proof", SkipFinalSnapshot=True)


def test_no_planted_value_is_in_any_artefact(project: Project, retired: dict[str, Any], planted: Planted) -> None:
    """Journal, state, plans, data files, logs, everything printed, `--json` too; and what other users can see of us."""
    for words in (("status", "local"), ("status", "local", "--json"), ("plan", "local", "--json")):
        project.run(*words)
    files = [file for file in project.root.rglob("*") if file.is_file() and "providers" not in file.parts]
    assert {"journal.json", "terraform.tfstate"} <= {file.name for file in files}
    found = {str(file): what for file in files for blob in blobs(file) if (what := planted.found_in(blob))}
    assert found == {}
    control = Planted({"control": [_instance(project, "shop-db-g1")["DbiResourceId"]]})
    assert any(control.found_in(blob) for file in files for blob in blobs(file))  # the search does find
    assert len(project.outputs) > 10
    assert [text for text in project.outputs if planted.found_in(text.encode())] == []
    assert [process for process in Path("/proc").glob("[0-9]*") if planted.found_in(_command_line(process))] == []


def test_the_planted_values_were_in_the_way(project: Project, retired: dict[str, Any], planted: Planted) -> None:
    """The search proves nothing about values that no part of the rotation met."""
    assert planted.changed > 100
    assert planted.cut_off > 0


def test_the_documented_rights_are_enough(project: Project, retired: dict[str, Any]) -> None:
    """The tool's calls and the provider's, of both verbs, as the sandbox's AWS has seen them."""
    seen = calls(load_env(project.root, "local"))
    assert {"Boto3", "APN"} <= seen.keys()
    asked = {operation for client in ("Boto3", "APN") for operation in seen[client]}
    assert len(asked) > 20
    assert asked - documented() == set()
    assert {each for each in documented() - asked if not each.startswith("s3:")} <= RIGHTS_WITHOUT_A_CALL


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
