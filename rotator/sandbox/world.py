"""Resources that exist before the tool's first run: a network, an old key, a database under it, its CNAME."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from rotator.config.rules import bucket_of
from rotator.config.sandbox import AccessKey
from rotator.config.schema import Env
from rotator.sandbox.daemon.endpoints import Endpoints
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import DATABASE_PORT, Progress
from rotator.sandbox.postgres.address import database_port

OLD_ALIAS = "alias/shop-db-legacy"
DEFAULT_USER = "shop_admin"
DEFAULT_DATABASE = "shop"
RECORD_TTL = 15
NETWORK = ipaddress.ip_network("10.20.0.0/16")
ACCOUNT = "123456789012"
POLL_SECONDS = 0.1
LONGEST_CREATION_SECONDS = 300.0


@dataclass(frozen=True)
class Clients:
    """boto3 clients of the local AWS."""

    make: Callable[[str], Any]

    def __call__(self, service: str) -> Any:
        return self.make(service)


@dataclass(frozen=True)
class World:
    """The created resources: names, and the credentials of the database. The password is not in repr."""

    identifier: str
    user: str
    database: str
    record: str
    port: int
    password: str = field(repr=False)


def clients(where: Endpoints, key: AccessKey) -> Clients:
    """Clients that reach the sandbox with any AWS settings and proxies of the shell."""
    session: Any = boto3.Session(
        aws_access_key_id=key.key_id, aws_secret_access_key=key.secret, region_name=where.region
    )
    settings = Config(proxies={}, retries={"max_attempts": 0}, read_timeout=300)
    return Clients(lambda service: session.client(service, endpoint_url=where.url, config=settings))


def build(env: Env, aws: Clients, version: str, password: str, progress: Progress) -> World:
    """Create all resources in an empty local AWS; `version` is the servers' PostgreSQL version. Raises SandboxError."""
    config = env.config
    world = World(
        identifier=config.database.identifier,
        user=config.database.username or DEFAULT_USER,
        database=config.database.name or DEFAULT_DATABASE,
        record=config.dns.record,
        port=database_port(DATABASE_PORT),
        password=password,
    )
    progress("creating a network, a key and a database without Terraform")
    key_arn = _key(aws("kms"))
    subnet_group, security_group, vpc = _network(aws)
    parameter_group = _parameter_group(aws("rds"), version)
    if config.database.credentials.secret_id is not None:
        aws("secretsmanager").create_secret(
            Name=config.database.credentials.secret_id,
            SecretString=json.dumps({"username": world.user, "password": password}),
        )
    aws("rds").create_db_instance(
        DBInstanceIdentifier=world.identifier,
        DBInstanceClass="db.m6g.large",
        Engine="postgres",
        EngineVersion=version,
        AllocatedStorage=100,
        MaxAllocatedStorage=200,
        StorageType="gp3",
        StorageEncrypted=True,
        KmsKeyId=key_arn,
        DBName=world.database,
        Port=world.port,
        MasterUsername=world.user,
        MasterUserPassword=password,
        DBParameterGroupName=parameter_group,
        DBSubnetGroupName=subnet_group,
        VpcSecurityGroupIds=[security_group],
        BackupRetentionPeriod=7,
        PreferredBackupWindow="03:10-03:40",
        PreferredMaintenanceWindow="sun:04:10-sun:04:40",
        AutoMinorVersionUpgrade=False,
        CopyTagsToSnapshot=True,
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        EnableCloudwatchLogsExports=["postgresql", "upgrade"],
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=key_arn,
        PubliclyAccessible=False,
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    for bucket in buckets(env):
        _bucket(aws("s3"), bucket, config.aws.region)
    instance = _available(aws("rds"), world.identifier)
    _record(aws("route53"), env, vpc, instance["Endpoint"]["Address"])
    return world


def buckets(env: Env) -> tuple[str, ...]:
    """Those that rotation.toml names: of the journal, and of Terraform's state."""
    config = env.config
    backend = config.terraform.backend
    state = str(backend.settings.get("bucket", "")) if backend.type == "s3" else ""
    journal = bucket_of(config.journal.s3) if config.journal.s3 else ""
    return tuple(sorted({name for name in (state, journal) if name}))


def _bucket(s3: Any, name: str, region: str) -> None:
    """As a team's bucket should be: every version is kept, and encrypted."""
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _key(kms: Any) -> str:
    statements = [
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Grants",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
            "Resource": "*",
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]
    key = kms.create_key(
        Description="shop database, made by hand",
        Policy=json.dumps({"Version": "2012-10-17", "Id": "shop-db-legacy", "Statement": statements}),
        Tags=[{"TagKey": "team", "TagValue": "shop"}],
    )["KeyMetadata"]
    kms.create_alias(AliasName=OLD_ALIAS, TargetKeyId=key["KeyId"])
    return str(key["Arn"])


def _network(aws: Clients) -> tuple[str, str, str]:
    """Names of a subnet group and a security group, and their VPC's id."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock=str(NETWORK))["Vpc"]["VpcId"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"][:2]
    blocks = NETWORK.subnets(new_prefix=24)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=str(block), AvailabilityZone=zone["ZoneName"])["Subnet"]["SubnetId"]
        for zone, block in zip(zones, blocks, strict=False)
    ]
    group = ec2.create_security_group(GroupName="shop-db", Description="shop database", VpcId=vpc)["GroupId"]
    aws("rds").create_db_subnet_group(
        DBSubnetGroupName="shop-db", DBSubnetGroupDescription="shop database", SubnetIds=subnets
    )
    return "shop-db", group, vpc


def _parameter_group(rds: Any, version: str) -> str:
    family = f"postgres{version.split('.', maxsplit=1)[0]}"
    name = f"shop-{family}"
    rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="shop database")
    settings = {"log_min_duration_statement": ("1000", "immediate"), "rds.logical_replication": ("1", "pending-reboot")}
    rds.modify_db_parameter_group(
        DBParameterGroupName=name,
        Parameters=[
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": method}
            for key, (value, method) in settings.items()
        ],
    )
    return name


def _available(rds: Any, identifier: str) -> Any:
    """The instance, once it is available."""
    deadline = time.monotonic() + LONGEST_CREATION_SECONDS
    while time.monotonic() < deadline:
        instance = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        if instance["DBInstanceStatus"] == "available":
            return instance
        time.sleep(POLL_SECONDS)
    raise SandboxError(
        f"{identifier} did not become available",
        why=f"waited {LONGEST_CREATION_SECONDS:.0f} s; [sandbox] create_seconds may be too large",
    )


def _record(route53: Any, env: Env, vpc: str, target: str) -> None:
    dns = env.config.dns
    private = {"VPC": {"VPCRegion": env.config.aws.region, "VPCId": vpc}} if dns.private_zone else {}
    zone = route53.create_hosted_zone(
        Name=dns.zone,
        CallerReference="sandbox",
        HostedZoneConfig={"Comment": "made by hand", "PrivateZone": dns.private_zone},
        **private,
    )["HostedZone"]["Id"]
    record = {
        "Name": dns.record,
        "Type": "CNAME",
        "TTL": RECORD_TTL,
        "ResourceRecords": [{"Value": target}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
