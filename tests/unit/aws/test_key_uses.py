"""What uses a key outside of RDS, as AWS answers (moto), and in words."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from rotator.aws.key_uses import BotoKeyUses
from rotator.aws.session import Aws
from rotator.aws.uses import Grant, by_aliases, by_grants
from rotator.config.schema import AwsConfig

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/backup"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Aws(AwsConfig(region=REGION))


def client(service):
    return boto3.client(service, region_name=REGION)


def new_key():
    return client("kms").create_key(KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]


def test_grants_with_their_context(aws):
    key = new_key()
    constraint = {"EncryptionContextSubset": {"aws:ebs:id": "vol-1"}}
    client("kms").create_grant(
        KeyId=key, GranteePrincipal=ROLE, RetiringPrincipal=ROLE, Operations=["Decrypt"], Constraints=constraint
    )
    client("kms").create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=["Encrypt"], Name="nightly")
    volume, nightly = aws.key_uses.grants(key)
    assert (volume.grantee, volume.retiring, volume.operations) == (ROLE, ROLE, ("Decrypt",))
    assert volume.context == {"aws:ebs:id": "vol-1"}
    assert nightly.name == "nightly"
    assert aws.key_uses.grants(new_key()) == ()


def test_a_boto3_that_cannot_ask_for_the_last_use_tells_none():
    class OldClient:
        meta = client("kms").meta

    assert BotoKeyUses(OldClient(), None, None).last_use("arn") is None


def test_aliases_secrets_and_log_groups(aws):
    key, other = new_key(), new_key()
    for name in ("alias/orders", "alias/billing"):
        client("kms").create_alias(AliasName=name, TargetKeyId=key)
    client("secretsmanager").create_secret(Name="orders/login", SecretString="{}", KmsKeyId=key)
    client("secretsmanager").create_secret(Name="plain", SecretString="{}")
    client("logs").create_log_group(logGroupName="/aws/rds/orders", kmsKeyId=key)
    client("logs").create_log_group(logGroupName="/app", kmsKeyId=other)
    client("logs").create_log_group(logGroupName="/plain")
    assert aws.key_uses.aliases(key) == ("alias/billing", "alias/orders")
    assert aws.key_uses.key_of_secret("orders/login") == key
    assert aws.key_uses.key_of_secret("plain") is None
    assert aws.key_uses.key_of_secret("nobody's") is None
    assert aws.key_uses.log_groups(key) == ("/aws/rds/orders",)


def test_only_rds_grants_for_known_instances_are_left_to_rds_own_lists():
    def of(context):
        return Grant("g", "", "rds.amazonaws.com", None, ("Decrypt",), context)

    known, gone = of({"aws:rds:db-id": "db-A"}), of({"aws:rds:db-id": "db-Z"})
    # A volume of RDS's own carries both; a volume of somebody's machine only one.
    of_rds, of_ec2 = of({"aws:rds:db-id": "db-A", "aws:ebs:id": "vol-1"}), of({"aws:ebs:id": "vol-2"})
    found = by_grants("KEY", [known, gone, of_rds, of_ec2, of({})], {"db-A"})
    assert [use.what.split(",")[0] for use in found] == [
        "grant to rds.amazonaws.com for Decrypt with aws:rds:db-id=db-Z",
        "EBS volume vol-2",
        "grant to rds.amazonaws.com for Decrypt",
    ]
    assert all("aws kms revoke-grant --key-id KEY --grant-id g" in use.fix for use in found)


def test_all_aliases_but_the_adopted_one_would_dangle():
    found = by_aliases("KEY", ("alias/a", "alias/b"), "alias/a")
    assert [use.what for use in found] == ["alias/b, another alias of the key"]
    assert len(by_aliases("KEY", ("alias/a", "alias/b"), None)) == 2
