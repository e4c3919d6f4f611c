"""A rendered root for the real Terraform and provider, beside a local AWS with a database that was built by hand."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from moto.moto_api._internal import moto_api_backend
from sandbox_env import small_env
from sandbox_fakes import FakeFleet

from rotator.aws.session import Aws
from rotator.config.sandbox import AccessKey
from rotator.domain.aws import Deployment
from rotator.domain.env_files import DATA_FILE
from rotator.domain.root import DatabaseSpec, EndpointSpec, Generation, Imports, KeySpec, RootData, Stage
from rotator.host.data_file import write_data
from rotator.sandbox import world
from rotator.sandbox.aws.patches import PATCHES, Context, installed
from rotator.sandbox.aws.server import serve
from rotator.sandbox.aws.timeline import Durations
from rotator.sandbox.daemon.endpoints import endpoints
from rotator.terraform.binary import find_terraform
from rotator.terraform.environment import terraform_env
from rotator.terraform.interface import ApplyEvent
from rotator.terraform.provider import KeptProvider
from rotator.terraform.render import write_root
from rotator.terraform.runner import TerraformRunner
from rotator.terraform.stages import TerraformStages

PROJECT = Path(__file__).parents[2]
KEY = AccessKey("SANDBOXROOTFIXTURE", "of-this-fixture-alone")
AT_ONCE = Durations(create=0, snapshot=0, copy=0, restore=0, modify=0, delete=0)
BLUE, GREEN, RECORD = (
    'module.database["g0"].aws_db_instance.this',
    'module.database["g1"].aws_db_instance.this',
    "module.endpoint.aws_route53_record.this",
)


@dataclass(frozen=True)
class Root:
    """A rendered root beside a local AWS in which somebody has built a database by hand."""

    terraform: TerraformRunner
    stages: TerraformStages
    rds: world.Clients
    aws: Aws
    blue: Deployment
    adopted: RootData
    work: Path
    environ: Mapping[str, str]

    def ordinary(self) -> TerraformStages:
        """The same root, with a provider for each run of Terraform."""
        binary = find_terraform(None, PROJECT, self.environ)
        plain = TerraformRunner(self.terraform.root, binary, self.environ)
        return TerraformStages(plain, self.work / "ordinary", on_event=nothing)

    def write(self, data: RootData) -> None:
        write_data(self.terraform.root / DATA_FILE, data)

    def apply(self, stage: Stage, before: RootData, after: RootData) -> dict[str, tuple[str, ...]]:
        """Address -> actions of the stage, which the firewall let through."""
        summary = self.stages.apply_stage(stage, before, after, self.write)
        return {change.address: change.actions for change in summary.changes}

    def planned(self, data: RootData) -> dict[str, tuple[str, ...]]:
        """Address -> actions, with nothing applied."""
        self.write(data)
        return {change.address: change.actions for change in self.stages.inspect().changes}


def nothing(happened: ApplyEvent) -> None:
    """Show nothing."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    for name, value in (("AWS_ACCESS_KEY_ID", KEY.key_id), ("AWS_SECRET_ACCESS_KEY", KEY.secret)):
        monkeypatch.setenv(name, value)
    with installed(PATCHES, Context(FakeFleet(), time.monotonic, AT_ONCE)):
        server = serve("127.0.0.1", 0, {}, KEY)
        built = _build(tmp_path, server.port)
        try:
            yield built
        finally:
            built.terraform.close()
            server.close()


def _build(tmp_path: Path, port: int) -> Root:
    env = small_env(tmp_path, http=port)
    moto_api_backend.reset()
    clients = world.clients(endpoints(env), KEY)
    world.build(env, clients, "15.10", "first-password", lambda line: None)
    write_root(env)
    environ = terraform_env(env.config, tmp_path / "work", os.environ)
    terraform = TerraformRunner(
        env.path, find_terraform(None, PROJECT, environ), environ, kept=KeptProvider(env.path, environ)
    )
    aws = Aws(env.config.aws)
    blue = aws.rds.instance(env.config.database.identifier)
    assert blue is not None
    return Root(
        terraform,
        TerraformStages(terraform, tmp_path / "plans", on_event=nothing),
        clients,
        aws,
        blue,
        found_in(aws, blue),
        tmp_path / "gates",
        environ,
    )


def found_in(aws: Aws, blue: Deployment) -> RootData:
    """What the adopt stage would write."""
    key = aws.kms.key(blue.kms_key_arn or "")
    zone = aws.dns.zone_id("shop.internal", private=False)
    assert key is not None
    assert zone is not None
    own = KeySpec(key.aliases[0], key.description, key.policy, enable_key_rotation=False, rotation_period_in_days=None)
    database = DatabaseSpec(blue.identifier, blue.settings, deletion_protection=True, tags=blue.tags)
    return RootData(
        generations={"g0": Generation(replace(own, tags=key.tags), database)},
        serving="g0",
        endpoint=EndpointSpec(zone, "db.shop.internal", world.RECORD_TTL),
        imports=Imports(
            {"g0": key.key_id}, {"g0": key.aliases[0]}, {"g0": blue.identifier}, f"{zone}_db.shop.internal_CNAME"
        ),
    )


def put(root: Root, zone: str, name: str, value: str, ttl: int = 300) -> None:
    """A CNAME, made or changed by hand."""
    wanted = {"Name": name, "Type": "CNAME", "TTL": ttl, "ResourceRecords": [{"Value": value}]}
    root.rds("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]}
    )


def values(root: Root, zone: str) -> dict[str, tuple[str, int]]:
    """Name -> (value, TTL) of a zone's CNAMEs, letter by letter."""
    sets = root.rds("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {r["Name"]: (r["ResourceRecords"][0]["Value"], r["TTL"]) for r in sets if r["Type"] == "CNAME"}
