"""Bad input against a real sandbox: one clear message, the documented exit code, and nothing made."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from project import Project, make_project

pytestmark = [pytest.mark.e2e, pytest.mark.terraform, pytest.mark.postgres]

RECORD = "db.sandbox.internal"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = make_project(tmp_path_factory.mktemp("refusals"))
    project.setting(r"^writers = 8$", "writers = 0\nseed_mb = 1")
    up = project.run("sandbox", "up", "local", "--json")
    assert up.returncode == 0, up.stdout + up.stderr
    yield project
    assert project.run("sandbox", "down", "local").returncode == 0


def refused(project: Project, code: int, *words: str, verb: str = "rotate", **environ: str) -> None:
    """The verb ends with `code`, one message with all `words`, no traceback; and the world is as it was."""
    before = world(project)
    done = project.run(verb, "local", **environ)
    said = " ".join(done.stderr.split())
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in said, done.stderr
    assert "Traceback" not in done.stderr
    assert world(project) == before
    assert not (project.env / "generations.auto.tfvars.json").exists()


def world(project: Project) -> tuple[Any, ...]:
    rds, kms = project.client("rds"), project.client("kms")
    return (
        sorted(i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]),
        sorted(s["DBSnapshotIdentifier"] for s in rds.describe_db_snapshots()["DBSnapshots"]),
        sorted(k["KeyId"] for k in kms.list_keys()["Keys"]),
        record(project),
    )


def record(project: Project) -> dict[str, Any]:
    route53 = project.client("route53")
    zone = public_zone(project)
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    found: dict[str, Any] = next(s for s in sets if s["Name"] == f"{RECORD}.")
    return found


def public_zone(project: Project) -> str:
    zones = project.client("route53").list_hosted_zones()["HostedZones"]
    return next(str(z["Id"]) for z in zones if z["Name"] == "sandbox.internal." and not z["Config"]["PrivateZone"])


@contextmanager
def toml(project: Project, pattern: str, replacement: str) -> Iterator[None]:
    file = project.env / "rotation.toml"
    text = file.read_text()
    project.setting(pattern, replacement)
    try:
        yield
    finally:
        file.write_text(text)


@contextmanager
def instead_of_the_record(project: Project, wanted: dict[str, Any]) -> Iterator[None]:
    route53, kept = project.client("route53"), record(project)
    zone = public_zone(project)

    def change(action: str, what: dict[str, Any]) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": what}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    change("DELETE", kept)
    change("CREATE", wanted)
    try:
        yield
    finally:
        change("DELETE", wanted)
        change("CREATE", kept)


def test_a_database_that_does_not_exist(project: Project) -> None:
    with toml(project, r"^identifier = .*$", 'identifier = "shop-bd"'):
        refused(project, 20, "no DB instance shop-bd", "RDS knows these: shop-db")


def test_an_endpoint_that_nobody_listens_on(project: Project) -> None:
    with toml(project, r"^\[aws\]$", '[aws]\nendpoint_url = "http://127.0.0.1:9"'):
        done = project.run("rotate", "local")
    assert done.returncode == 31
    assert "http://127.0.0.1:9" in done.stderr


def test_no_credentials(project: Project) -> None:
    with (
        toml(project, r"^\[sandbox\]\n(.*\n)*", ""),
        toml(project, r"^\[database\]\n", '[database]\nsslrootcert = "system"\n'),
    ):
        nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
        done = project.run("rotate", "local", "--yes", AWS_SHARED_CREDENTIALS_FILE=os.devnull, **nowhere)
    assert done.returncode == 31, done.stderr
    assert "aws-credentials" in done.stderr


def test_no_terraform(project: Project) -> None:
    refused(project, 30, "terraform-missing", "make terraform", PATH="/nonexistent")


def test_a_database_that_refuses_the_login(project: Project) -> None:
    with toml(project, r"^\[database.credentials\]\n.*$", '[database.credentials]\npassword_env = "WRONG"'):
        refused(project, 32, "password", WRONG="not-the-password")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "127.0.0.1"}]}, ("record-not-cname", "A")),
        (
            {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "other.example.com"}]},
            ("record-elsewhere", "other.example.com"),
        ),
    ],
)
def test_a_record_that_cannot_be_flipped(project: Project, wanted: dict[str, Any], words: tuple[str, ...]) -> None:
    with instead_of_the_record(project, {"Name": f"{RECORD}.", **wanted}):
        refused(project, 20, *words)


@contextmanager
def another_record(project: Project, name: str, value: str, *, private: bool = False) -> Iterator[None]:
    """A CNAME in the zone, or in a private one of the same name, which hides the public one."""
    route53, zone = project.client("route53"), public_zone(project)
    if private:
        vpc = {"VPCRegion": "us-east-1", "VPCId": project.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]}
        zone = route53.create_hosted_zone(
            Name="sandbox.internal", CallerReference="private", VPC=vpc,
            HostedZoneConfig={"Comment": "", "PrivateZone": True},
        )["HostedZone"]["Id"]  # fmt: skip
    wanted = {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]}

    def change(action: str) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": wanted}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    change("CREATE")
    try:
        yield
    finally:
        change("DELETE")
        if private:
            route53.delete_hosted_zone(Id=zone)


def test_the_same_name_in_a_private_zone(project: Project) -> None:
    with another_record(project, RECORD, "elsewhere.example.com", private=True):
        refused(project, 20, "split-horizon", "resolver-elsewhere", "elsewhere.example.com")
        chosen = public_zone(project).rpartition("/")[2]
        with toml(project, r"^\[dns\]$", f'[dns]\nzone_id = "{chosen}"'):
            refused(project, 20, "resolver-elsewhere", "elsewhere.example.com")


def test_another_record_that_leads_to_blue(project: Project) -> None:
    blue = record(project)["ResourceRecords"][0]["Value"]
    with another_record(project, "legacy.sandbox.internal", f"{blue}."):
        refused(project, 20, "other-records", "legacy.sandbox.internal", "[dns] also")
        assert "legacy.sandbox.internal" in project.run("status", "local").stdout


def test_a_root_of_an_older_rotator(project: Project) -> None:
    file = project.env / "variables.tf"
    text = file.read_text()
    file.write_text(text.replace('variable "also" {', 'variable "other" {'))
    try:
        refused(project, 20, "render-differs", "rotator render local")
    finally:
        file.write_text(text)


@contextmanager
def a_strange_snapshot(project: Project) -> Iterator[None]:
    rds, name = project.client("rds"), "rotator-shop-db-g1-source"
    rds.create_db_snapshot(DBInstanceIdentifier="shop-db", DBSnapshotIdentifier=name)
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    try:
        yield
    finally:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


@contextmanager
def a_strange_green(project: Project) -> Iterator[None]:
    rds = project.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="shop-db-g1", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="someone", MasterUserPassword="some-password",
    )  # fmt: skip
    often = {"Delay": 1, "MaxAttempts": 60}
    try:
        yield
    finally:
        rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="shop-db-g1", WaiterConfig=often)
        rds.delete_db_instance(DBInstanceIdentifier="shop-db-g1", SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="shop-db-g1", WaiterConfig=often)


@contextmanager
def a_strange_alias(project: Project) -> Iterator[None]:
    kms = project.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/shop-db-g1", TargetKeyId=key)
    try:
        yield
    finally:
        kms.delete_alias(AliasName="alias/shop-db-g1")


@pytest.mark.parametrize(
    ("stranger", "code"),
    [(a_strange_snapshot, "snapshot-taken"), (a_strange_green, "green-taken"), (a_strange_alias, "alias-taken")],
)
def test_a_name_that_somebody_else_took(
    project: Project, stranger: Callable[[Project], AbstractContextManager[None]], code: str
) -> None:
    with stranger(project):
        refused(project, 20, code)


def test_a_hand_made_change_that_would_replace_the_database(project: Project) -> None:
    """The first plan of a first rotation is the adoption's: it is refused, and nothing was applied."""
    file = project.env / "main.tf"
    text = file.read_text()
    by_hand = 'merge(each.value.settings, { port = 5433, engine = "mysql" })'
    file.write_text(text.replace("= each.value.settings", f"= {by_hand}"))
    assert file.read_text() != text
    try:
        for verb in ("plan", "rotate"):
            before = world(project)
            done = project.run(verb, "local")
            assert done.returncode == 20, done.stderr
            assert "plan-firewall" in done.stderr
            assert 'module.database["g0"].aws_db_instance.this' in " ".join(done.stderr.split())
            assert world(project) == before
            assert not (project.env / "terraform.tfstate").exists()
            assert not (project.env / "generations.auto.tfvars.json").exists()
    finally:
        file.write_text(text)


@contextmanager
def parameter(project: Project, value: str) -> Iterator[None]:
    """rds.logical_replication in blue's parameter group, and a reboot, which it takes."""
    rds = project.client("rds")
    blue = rds.describe_db_instances(DBInstanceIdentifier="shop-db")["DBInstances"][0]
    group = blue["DBParameterGroups"][0]["DBParameterGroupName"]

    def put(wanted: str) -> None:
        one = {"ParameterName": "rds.logical_replication", "ParameterValue": wanted, "ApplyMethod": "pending-reboot"}
        rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=[one])
        rds.reboot_db_instance(DBInstanceIdentifier="shop-db")
        rds.get_waiter("db_instance_available").wait(
            DBInstanceIdentifier="shop-db", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    put(value)
    try:
        yield
    finally:
        put("1")


def test_replicate_without_logical_replication(project: Project) -> None:
    with parameter(project, "0"), toml(project, r"^\[rotation\]$", '[rotation]\nstrategy = "replicate"'):
        refused(project, 20, "wal-level", "rds.logical_replication = 1", "reboot")


def test_errors_are_one_json_object_for_machines(project: Project) -> None:
    with toml(project, r"^identifier = .*$", 'identifier = "shop-bd"'):
        done = project.run("rotate", "local", "--json")
    assert done.returncode == 20
    assert json.loads(done.stdout)["error"]["code"] == "no-such-database"


def test_a_second_run_at_the_same_time_is_locked_out(project: Project) -> None:

    lock = project.env / ".rotator" / "lock"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = project.run("rotate", "local")
    assert done.returncode == 40
    assert "locked" in done.stderr
