"""The facades against moto in this process; what moto cannot say is in test_facades_stubbed.py."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from rotator.aws.session import Aws
from rotator.config.schema import AwsConfig
from rotator.domain.errors import AwsError, Blocked

REGION = "eu-west-1"
TAGS = {"rotator:env": "prod", "rotator:rotation": "prod-g1"}


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


def new_key(**fields):
    return client("kms").create_key(KeyUsage="ENCRYPT_DECRYPT", **fields)["KeyMetadata"]


def new_instance(name="orders", **fields):
    settings = {
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "MasterUsername": "postgres",
        "MasterUserPassword": "not-a-secret",
        "DBName": "orders",
    }
    client("rds").create_db_instance(DBInstanceIdentifier=name, **(settings | fields))


def test_an_instance_with_its_key_settings_and_tags(aws):
    key = new_key()["Arn"]
    new_instance(StorageEncrypted=True, KmsKeyId=key, Tags=[{"Key": "team", "Value": "orders"}])
    found = aws.rds.instance("orders")
    assert found is not None
    assert found.identifier == "orders"
    assert found.encrypted
    assert found.kms_key_arn == key
    assert found.status == "available"
    assert found.port == 5432
    assert found.address
    assert found.database_name == "orders"
    assert found.tags == {"team": "orders"}
    assert found.settings["instance_class"] == "db.t4g.micro"
    assert found.pending == {}
    assert found.raw["DBInstanceIdentifier"] == "orders"


def test_what_is_not_there_is_none(aws):
    assert aws.rds.instance("nobody") is None
    assert aws.rds.snapshot("nothing") is None
    assert aws.kms.key("alias/nothing") is None
    assert aws.dns.zone_id("example.com", private=False) is None


def test_a_snapshot_its_copy_under_another_key_and_its_end(aws):
    old, new = new_key()["Arn"], new_key()["Arn"]
    new_instance(StorageEncrypted=True, KmsKeyId=old, CopyTagsToSnapshot=True, Tags=[{"Key": "team", "Value": "x"}])
    source = aws.rds.create_snapshot("orders", "source", TAGS)
    assert source.kms_key_arn == old
    aws.rds.copy_snapshot(source, "copy", new, TAGS)
    copy = aws.rds.snapshot("copy")
    assert copy is not None
    assert copy.kms_key_arn == new
    assert copy.encrypted
    assert copy.tags == TAGS
    assert copy.instance_identifier == "orders"
    assert copy.status == "available"
    assert copy.kind == "manual"
    assert {"source", "copy"} <= {s.identifier for s in aws.rds.snapshots()}
    aws.rds.delete_snapshot("copy")
    assert aws.rds.snapshot("copy") is None
    aws.rds.delete_snapshot("copy")


def test_every_snapshot_comes_once_also_those_of_clusters(aws):
    client("rds").create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="u", MasterUserPassword="not-a-secret"
    )
    client("rds").create_db_cluster_snapshot(DBClusterIdentifier="c", DBClusterSnapshotIdentifier="of-c")
    new_instance()
    aws.rds.create_snapshot("orders", "mine", {})
    found = aws.rds.snapshots()
    assert len({s.arn for s in found}) == len(found)
    kinds = {s.identifier: s.kind for s in found}
    assert kinds["of-c"] == "cluster-manual"
    assert kinds["mine"] == "manual"


def test_an_automated_backup_goes_with_its_instance(aws):
    new_instance(BackupRetentionPeriod=3)
    assert [b.instance_identifier for b in aws.rds.automated_backups()] == ["orders"]


def test_a_refused_call_says_which_and_why(aws):
    new_instance()
    aws.rds.create_snapshot("orders", "taken", {})
    with pytest.raises(AwsError) as caught:
        aws.rds.create_snapshot("orders", "taken", {})
    assert "rds:CreateDBSnapshot" in caught.value.what
    assert "DBSnapshotAlreadyExists" in caught.value.why


def test_a_customer_key_by_id_arn_and_alias(aws):
    policy = json.dumps({"Version": "2012-10-17", "Statement": []}, indent=3)
    made = new_key(Description="old", Policy=policy, Tags=[{"TagKey": "team", "TagValue": "x"}])
    client("kms").create_alias(AliasName="alias/z", TargetKeyId=made["KeyId"])
    client("kms").create_alias(AliasName="alias/a", TargetKeyId=made["KeyId"])
    client("kms").enable_key_rotation(KeyId=made["KeyId"])
    found = aws.kms.key("alias/a")
    assert found is not None
    assert found == aws.kms.key(made["KeyId"]) == aws.kms.key(made["Arn"])
    assert found.arn == made["Arn"]
    assert found.aliases == ("alias/a", "alias/z")
    assert found.policy == policy
    assert found.rotation_enabled
    assert found.state == "Enabled"
    assert found.manager == "CUSTOMER"
    assert found.tags == {"team": "x"}
    assert found.description == "old"
    assert found.deletion_date is None


def test_a_key_that_is_scheduled_for_deletion(aws):
    made = new_key()
    client("kms").schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7)
    found = aws.kms.key(made["Arn"])
    assert found is not None
    assert found.state == "PendingDeletion"
    assert found.deletion_date is not None


def zone(name, **config):
    answer = client("route53").create_hosted_zone(Name=name, CallerReference=f"{name}{config}", **config)
    return answer["HostedZone"]["Id"].rpartition("/")[2]


def put(zone_id, name, kind, **fields):
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": kind, **fields}}
    client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [change]})


def test_a_zone_by_its_exact_name(aws):
    public = zone("example.com.")
    zone("b.example.com.")
    assert aws.dns.zone_id("Example.com", private=False) == public
    assert aws.dns.zone_id("example.com.", private=False) == public
    assert aws.dns.zone_id("example.com", private=True) is None
    assert aws.dns.zone_id("example", private=False) is None


def test_two_zones_of_one_name_are_ambiguous(aws):
    ids = [zone("example.com", HostedZoneConfig={"Comment": str(n), "PrivateZone": False}) for n in range(2)]
    with pytest.raises(Blocked) as caught:
        aws.dns.zone_id("example.com", private=False)
    assert caught.value.code == "ambiguous-zone"
    assert all(found in caught.value.why for found in ids)


def test_a_cname_among_hundreds(aws):
    zone_id = zone("example.com")
    address = {"Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    many = [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": f"a{number}.example.com", **address}}
        for number in range(320)
    ]
    client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": many})
    put(zone_id, "db.example.com", "CNAME", TTL=300, ResourceRecords=[{"Value": "Orders.rds.amazonaws.com."}])
    found = aws.dns.record(zone_id, "DB.example.com.")
    assert found is not None
    assert (found.kind, found.ttl, found.alias, found.routing_policy) == ("CNAME", 300, False, None)
    assert found.values == ("Orders.rds.amazonaws.com",)
    assert found.name == "db.example.com"
    assert aws.dns.record(zone_id, "d.example.com") is None
    assert aws.dns.record(zone_id, "zz.example.com") is None


def test_every_zone_that_holds_a_name(aws):
    zones = [zone("example.com"), zone("db.example.com"), zone("a.db.example.com"), zone("other.com")]
    for zone_id in zones[:2]:
        put(zone_id, "x.db.example.com", "A", TTL=60, ResourceRecords=[{"Value": "10.0.0.1"}])
    put(zones[1], "db.example.com", "TXT", TTL=60, ResourceRecords=[{"Value": '"no address"'}])
    put(zones[0], "db.example.com", "CNAME", TTL=60, ResourceRecords=[{"Value": "b.example.com"}])
    assert {each.zone_id for each in aws.dns.holders("X.db.example.com.")} == set(zones[:2])
    assert [(each.zone_id, each.private) for each in aws.dns.holders("db.example.com")] == [(zones[0], False)]
    assert aws.dns.holders("nobody.example.com") == ()


def test_a_record_of_a_zone_that_was_deleted_is_gone_too(aws):
    zone_id = zone("example.com")
    client("route53").delete_hosted_zone(Id=zone_id)
    assert aws.dns.record(zone_id, "db.example.com") is None


def test_everything_that_names_a_host_in_all_zones(aws):
    one, two = zone("example.com"), zone("old.net")
    host = "orders.abc.eu-central-1.rds.amazonaws.com"
    put(one, "db.example.com", "CNAME", TTL=60, ResourceRecords=[{"Value": host}])
    put(two, "db.old.net", "CNAME", TTL=300, ResourceRecords=[{"Value": f"{host.upper()}."}])
    put(one, "via.example.com", "CNAME", TTL=60, ResourceRecords=[{"Value": "db.example.com"}])
    put(one, "near.example.com", "CNAME", TTL=60, ResourceRecords=[{"Value": f"not-{host}"}])
    put(one, "w.example.com", "CNAME", TTL=60, SetIdentifier="1", Weight=1, ResourceRecords=[{"Value": host}])
    put(two, "_pg.old.net", "SRV", TTL=60, ResourceRecords=[{"Value": f"0 5 5432 {host}."}])
    put(two, "note.old.net", "TXT", TTL=60, ResourceRecords=[{"Value": f'"{host}"'}])
    found = {each.name: each for each in aws.dns.records_at(host)}
    assert found.keys() == {"db.example.com", "db.old.net", "w.example.com", "_pg.old.net", "note.old.net"}
    assert found["db.old.net"].written == (f"{host.upper()}.",)
    assert found["w.example.com"].routing_policy == "weighted"
    assert {each.zone_id for each in found.values()} == {one, two}


def test_weighted_and_alias_records_are_told_apart(aws):
    zone_id = zone("example.com")
    for number in (1, 2):
        put(
            zone_id,
            "w.example.com",
            "CNAME",
            TTL=60,
            SetIdentifier=str(number),
            Weight=number,
            ResourceRecords=[{"Value": f"t{number}.example.com"}],
        )
    put(
        zone_id,
        "alias.example.com",
        "A",
        AliasTarget={"HostedZoneId": "Z2", "DNSName": "lb.example.com.", "EvaluateTargetHealth": False},
    )
    weighted, alias = aws.dns.record(zone_id, "w.example.com"), aws.dns.record(zone_id, "alias.example.com")
    assert weighted is not None
    assert weighted.routing_policy == "weighted"
    assert alias is not None
    assert (alias.alias, alias.kind, alias.ttl, alias.values) == (True, "A", None, ("lb.example.com",))


def test_who_we_are(aws):
    caller = aws.identity.caller()
    assert caller.account == "123456789012"
    assert caller.region == REGION


def test_a_secret_of_rds(aws):
    client("secretsmanager").create_secret(Name="db", SecretString='{"username": "app", "password": "p", "port": 5432}')
    assert aws.secrets.json_secret("db") == {"username": "app", "password": "p", "port": "5432"}


@pytest.mark.parametrize("text", ["hunter2", '["hunter2"]', '{"password": "hunter2"'])
def test_a_secret_that_is_no_json_object_stays_secret(aws, text):
    client("secretsmanager").create_secret(Name="db", SecretString=text)
    with pytest.raises(AwsError) as caught:
        aws.secrets.json_secret("db")
    fault: BaseException | None = caught.value
    assert caught.value.code == "secret-not-json"
    while fault is not None:
        assert "hunter2" not in f"{fault!r} {vars(fault)}"
        fault = fault.__cause__ or fault.__context__


def test_a_secret_that_is_not_there(aws):
    with pytest.raises(AwsError, match="secretsmanager:GetSecretValue"):
        aws.secrets.json_secret("nothing")
