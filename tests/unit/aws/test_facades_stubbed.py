"""What moto cannot say: quotas, denied reads, pages of Route 53, faults of the wire."""

from __future__ import annotations

import socket

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from rotator.aws.kms import BotoKms
from rotator.aws.rds import BotoRds
from rotator.aws.route53 import BotoDns
from rotator.aws.session import Aws
from rotator.config.schema import AwsConfig
from rotator.domain.aws import Quota
from rotator.domain.errors import AwsCredentialsError, AwsError, AwsUnreachable

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1"
DENIED = ("AccessDeniedException", "User: x is not authorized to perform: kms:GetKeyPolicy on resource: y", 400)


def stubbed(service):
    client = boto3.client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    stub = Stubber(client)
    stub.activate()
    return client, stub


def refuse(stub, method, code, message="", status=400):
    stub.add_client_error(method, code, message, status)


def key_answers(stub, manager, *, denied):
    stub.add_response("describe_key", {"KeyMetadata": {"KeyId": "1", "Arn": ARN, "KeyManager": manager}})
    answers = {
        "get_key_rotation_status": {"KeyRotationEnabled": True, "RotationPeriodInDays": 365},
        "list_aliases": {"Aliases": [{"AliasName": "alias/k"}], "Truncated": False},
        "get_key_policy": {"Policy": "{}"},
        "list_resource_tags": {"Tags": [], "Truncated": False},
    }
    for method, answer in answers.items():
        if method in denied:
            refuse(stub, method, denied[method])
        else:
            stub.add_response(method, answer)


def test_the_period_of_rotation_is_read():
    client, stub = stubbed("kms")
    key_answers(stub, "CUSTOMER", denied={})
    found = BotoKms(client, account=lambda: "123456789012").key(ARN)
    assert found is not None
    assert found.rotation_period_in_days == 365


def test_what_may_not_be_read_of_an_aws_managed_key_is_left_open():
    client, stub = stubbed("kms")
    methods = ("get_key_rotation_status", "list_aliases", "get_key_policy", "list_resource_tags")
    key_answers(stub, "AWS", denied=dict.fromkeys(methods, "AccessDeniedException"))
    found = BotoKms(client, account=lambda: "123456789012").key(ARN)
    assert found is not None
    assert (found.policy, found.aliases, found.rotation_enabled, found.tags) == (None, (), False, {})


def test_another_accounts_key_is_read_as_far_as_it_goes():
    client, stub = stubbed("kms")
    key_answers(stub, "CUSTOMER", denied={"list_aliases": "InvalidArnException", "get_key_policy": "NotFoundException"})
    found = BotoKms(client, account=lambda: "999999999999").key(ARN)
    assert found is not None
    assert found.policy is None


def test_a_denied_policy_of_our_own_key_is_an_error_and_no_guess():
    client, stub = stubbed("kms")
    key_answers(stub, "CUSTOMER", denied={"get_key_policy": "AccessDeniedException"})
    with pytest.raises(AwsError) as caught:
        BotoKms(client, account=lambda: "123456789012").key(ARN)
    assert "kms:GetKeyPolicy" in caught.value.what


def test_a_key_without_rotation_of_its_own():
    client, stub = stubbed("kms")
    key_answers(stub, "CUSTOMER", denied={"get_key_rotation_status": "UnsupportedOperationException"})
    found = BotoKms(client, account=lambda: "123456789012").key(ARN)
    assert found is not None
    assert not found.rotation_enabled


def test_quotas():
    client, stub = stubbed("rds")
    quotas = [{"AccountQuotaName": "DBInstances", "Used": 39, "Max": 40}]
    stub.add_response("describe_account_attributes", {"AccountQuotas": quotas})
    assert BotoRds(client).quotas() == (Quota("DBInstances", 39, 40),)


def test_instances_and_backups_that_go_on_to_the_next_page():
    client, stub = stubbed("rds")
    for number, following in ((1, {"Marker": "m"}), (2, {})):
        element = {"DBInstanceIdentifier": f"db-{number}", "DBInstanceClass": "db.m7g.large", "Engine": "postgres"}
        stub.add_response("describe_db_instances", {"DBInstances": [element], **following})
    for number, following in ((1, {"Marker": "m"}), (2, {})):
        backup = {"DBInstanceIdentifier": f"db-{number}", "Status": "retained", "KmsKeyId": ARN}
        answer = {"DBInstanceAutomatedBackups": [backup], **following}
        stub.add_response("describe_db_instance_automated_backups", answer)
    rds = BotoRds(client)
    assert [found.identifier for found in rds.instances()] == ["db-1", "db-2"]
    assert [(b.instance_identifier, b.kms_key_arn) for b in rds.automated_backups()] == [("db-1", ARN), ("db-2", ARN)]


def test_snapshots_of_every_kind_on_every_page():
    client, stub = stubbed("rds")

    def answer(name, kind, **following):
        element = {"DBSnapshotIdentifier": name, "DBSnapshotArn": f"arn:{name}", "SnapshotType": kind}
        return {"DBSnapshots": [element], **following}

    stub.add_response("describe_db_snapshots", answer("a", "manual", Marker="m"), {})
    stub.add_response("describe_db_snapshots", answer("b", "awsbackup"), {"Marker": "m"})
    stub.add_response("describe_db_snapshots", answer("b", "awsbackup"), {"SnapshotType": "awsbackup"})
    stub.add_response("describe_db_cluster_snapshots", {"DBClusterSnapshots": []}, {})
    assert [(s.identifier, s.kind) for s in BotoRds(client).snapshots()] == [("a", "manual"), ("b", "awsbackup")]
    stub.assert_no_pending_responses()


def test_the_source_of_a_copy_is_named_by_its_arn_and_gives_no_tags():
    client, stub = stubbed("rds")
    element = {"DBSnapshotIdentifier": "s", "DBSnapshotArn": "arn:aws:rds:eu-west-1:1:snapshot:s"}
    stub.add_response("describe_db_snapshots", {"DBSnapshots": [element]})
    wanted = {
        "SourceDBSnapshotIdentifier": "arn:aws:rds:eu-west-1:1:snapshot:s",
        "TargetDBSnapshotIdentifier": "t",
        "KmsKeyId": ARN,
        "CopyTags": False,
        "Tags": [{"Key": "rotator:env", "Value": "prod"}],
    }
    progress = {**element, "DBSnapshotIdentifier": "t", "Status": "copying", "PercentProgress": 7, "Encrypted": True}
    stub.add_response("copy_db_snapshot", {"DBSnapshot": progress}, wanted)
    rds = BotoRds(client)
    source = rds.snapshot("s")
    assert source is not None
    copy = rds.copy_snapshot(source, "t", ARN, {"rotator:env": "prod"})
    assert (copy.status, copy.percent, copy.kms_key_arn) == ("copying", 7, None)
    stub.assert_no_pending_responses()


def record_set(kind, **fields):
    return {"Name": "w.example.com.", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": "v"}], **fields}


def page(sets, **following):
    return {"ResourceRecordSets": sets, "MaxItems": "1", "IsTruncated": bool(following), **following}


def test_a_record_whose_sets_go_on_to_the_next_page():
    client, stub = stubbed("route53")
    stub.add_response(
        "list_resource_record_sets",
        page([record_set("A")], NextRecordName="w.example.com.", NextRecordType="CNAME", NextRecordIdentifier="2"),
        {"HostedZoneId": "Z1", "StartRecordName": "w.example.com"},
    )
    stub.add_response(
        "list_resource_record_sets",
        page(
            [record_set("CNAME", SetIdentifier="2", Failover="PRIMARY", HealthCheckId="hc-1")],
            NextRecordName="x.",
            NextRecordType="A",
        ),
        {
            "HostedZoneId": "Z1",
            "StartRecordName": "w.example.com.",
            "StartRecordType": "CNAME",
            "StartRecordIdentifier": "2",
        },
    )
    found = BotoDns(client).record("Z1", "w.example.com")
    assert found is not None
    assert (found.kind, found.routing_policy, found.health_check) == ("CNAME", "failover", "hc-1")
    stub.assert_no_pending_responses()


def test_zones_of_one_name_on_two_pages():
    client, stub = stubbed("route53")
    public = {"Id": "/hostedzone/Z1", "Name": "example.com.", "CallerReference": "1"}
    private = {**public, "Id": "/hostedzone/Z2", "Config": {"PrivateZone": True}}
    first = {"HostedZones": [public], "IsTruncated": True, "MaxItems": "1"}
    stub.add_response("list_hosted_zones_by_name", {**first, "NextDNSName": "example.com.", "NextHostedZoneId": "Z2"})
    stub.add_response("list_hosted_zones_by_name", {**first, "HostedZones": [private], "IsTruncated": False})
    assert BotoDns(client).zone_id("example.com", private=True) == "Z2"
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "error", "word", "said"),
    [
        ("ExpiredToken", 403, AwsCredentialsError, "aws-credentials", "expired"),
        ("InvalidClientTokenId", 403, AwsCredentialsError, "aws-credentials", "refuses the credentials"),
        ("SignatureDoesNotMatch", 403, AwsCredentialsError, "aws-credentials", "refuses the credentials"),
        ("AccessDenied", 403, AwsError, "aws-access-denied", "rds:DescribeDBInstances"),
        ("Throttling", 400, AwsError, "aws-throttled", "throttles rds:DescribeDBInstances"),
        ("KMSKeyNotAccessibleFault", 400, AwsError, "aws-key-not-accessible", "cannot use the KMS key"),
        ("InstanceQuotaExceeded", 400, AwsError, "aws-quota", "quota"),
        ("InternalFailure", 500, AwsError, "aws-service", "AWS has an internal error"),
        ("InvalidParameterValue", 400, AwsError, "aws", "refused rds:DescribeDBInstances"),
    ],
)
def test_each_answer_of_aws_has_its_error(code, status, error, word, said):
    client, stub = stubbed("rds")
    refuse(stub, "describe_db_instances", code, "words of AWS", status)
    with pytest.raises(error) as caught:
        BotoRds(client).instance("orders")
    assert type(caught.value) is error
    assert caught.value.code == word
    assert said in caught.value.what
    assert "words of AWS" in caught.value.why
    assert caught.value.fix


def test_a_denied_action_is_named_as_aws_names_it():
    client, stub = stubbed("rds")
    refuse(stub, "describe_db_instances", *DENIED)
    with pytest.raises(AwsError, match="kms:GetKeyPolicy") as caught:
        BotoRds(client).instance("orders")
    assert "kms:GetKeyPolicy" in caught.value.fix


@pytest.fixture
def without_identity(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_no_credentials_at_all(without_identity):
    with pytest.raises(AwsCredentialsError, match="no usable AWS credentials"):
        Aws(AwsConfig(region="eu-west-1")).identity.caller()


def test_a_profile_that_does_not_exist(without_identity):
    with pytest.raises(AwsCredentialsError) as caught:
        Aws(AwsConfig(region="eu-west-1", profile="nobody"))
    assert "nobody" in caught.value.why


def test_an_endpoint_where_nobody_listens(without_identity):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        aws = Aws(AwsConfig(region="eu-west-1", endpoint_url=url), credentials=("x", "x"))
        with pytest.raises(AwsUnreachable) as caught:
            aws.rds.instance("orders")
    assert url in caught.value.what
    assert "endpoint_url" in caught.value.fix
