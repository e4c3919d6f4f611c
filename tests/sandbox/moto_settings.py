"""What a client sees of settings, groups, keys and records: scenarios of test_moto_gaps."""

from __future__ import annotations

from typing import Any

from moto_bench import Bench, outcome

PI_ON = {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 31}


def resource_ids(b: Bench) -> Any:
    return b.instance("blue")["DbiResourceId"] != b.instance("green")["DbiResourceId"]


def forgotten_settings(b: Bench) -> Any:
    got = b.instance(**PI_ON, NetworkType="DUAL", DedicatedLogVolume=True)
    names = ("PerformanceInsightsEnabled", "PerformanceInsightsRetentionPeriod", "NetworkType", "DedicatedLogVolume")
    return tuple(got.get(name) for name in names)


def modified_settings(b: Bench) -> Any:
    b.instance()
    return b.modify(EnablePerformanceInsights=True, ApplyImmediately=True)["PerformanceInsightsEnabled"]


def snapshot_settings(b: Bench) -> Any:
    b.instance(StorageType="gp3")
    got = b.snapshot()
    return got.get("StorageType"), got.get("OptionGroupName"), got.get("LicenseModel")


def user_parameters(b: Bench) -> Any:
    b.rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres15", Description="d")
    parameter = {"ParameterName": "work_mem", "ParameterValue": "64", "ApplyMethod": "immediate"}
    b.rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=[parameter])
    found = b.rds.describe_db_parameters(DBParameterGroupName="p", Source="user")["Parameters"]
    system = b.rds.describe_db_parameters(DBParameterGroupName="p", Source="system")["Parameters"]
    return [each.get("Source") for each in found], len(system)


def parameter_that_runs_a_program(b: Bench) -> Any:
    b.rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres15", Description="d")
    wanted = {"ParameterName": "archive_command", "ParameterValue": "id", "ApplyMethod": "immediate"}
    return outcome(lambda: b.rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=[wanted]))


def default_option_group(b: Bench) -> Any:
    return outcome(lambda: b.instance(OptionGroupName="default:postgres-15"))


def new_option_group(b: Bench) -> Any:
    return outcome(
        lambda: b.rds.create_option_group(
            OptionGroupName="o", EngineName="postgres", MajorEngineVersion="15", OptionGroupDescription="d"
        )
    )


def foreign_family(b: Bench) -> Any:
    b.rds.create_db_parameter_group(DBParameterGroupName="p14", DBParameterGroupFamily="postgres14", Description="d")
    b.instance("other")
    change = {"DBInstanceIdentifier": "other", "DBParameterGroupName": "p14"}
    return (
        outcome(lambda: b.instance(DBParameterGroupName="p14")),
        outcome(lambda: b.rds.modify_db_instance(**change)),
    )


def unknown_security_group(b: Bench) -> Any:
    return outcome(lambda: b.instance(VpcSecurityGroupIds=["sg-0123456789abcdef0"]))


def security_group_of_the_subnets(b: Bench) -> Any:
    vpc = b.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = b.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    b.rds.create_db_subnet_group(DBSubnetGroupName="n", DBSubnetGroupDescription="d", SubnetIds=[subnet])
    group = b.instance(DBSubnetGroupName="n")["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    return b.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["VpcId"] == vpc


def restored_defaults(b: Bench) -> Any:
    b.instance(MultiAZ=True, DeletionProtection=True, EnableCloudwatchLogsExports=["postgresql"], StorageType="gp2")
    b.snapshot()
    got = b.restore()
    return got["MultiAZ"], got["DeletionProtection"], got.get("EnabledCloudwatchLogsExports", []), got["StorageType"]


def restored_false(b: Bench) -> Any:
    b.instance(AutoMinorVersionUpgrade=True, CopyTagsToSnapshot=True)
    b.snapshot()
    return b.restore(CopyTagsToSnapshot=False)["CopyTagsToSnapshot"]


def key_usage(b: Bench) -> Any:
    return b.kms.create_key()["KeyMetadata"].get("KeyUsage")


def disable_by_arn(b: Bench) -> Any:
    try:
        b.kms.disable_key(KeyId=b.key())
    except KeyError:  # moto falls over it
        return "fell over"
    return "done"


def disabled_key(b: Bench) -> Any:
    key = b.key().split("/")[1]
    b.kms.disable_key(KeyId=key)
    grant = {"KeyId": key, "GranteePrincipal": "arn:aws:iam::123456789012:role/r", "Operations": ["Decrypt"]}
    return (
        outcome(lambda: b.kms.encrypt(KeyId=key, Plaintext=b"x")),
        outcome(lambda: b.kms.generate_data_key(KeyId=key, KeySpec="AES_256")),
        outcome(lambda: b.kms.create_grant(**grant)),
    )


def pending_key(b: Bench) -> Any:
    key = b.key().split("/")[1]
    b.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return (
        outcome(lambda: b.kms.enable_key(KeyId=key)),
        outcome(lambda: b.kms.create_alias(AliasName="alias/x", TargetKeyId=key)),
        outcome(lambda: b.kms.encrypt(KeyId=key, Plaintext=b"x")),
    )


def decrypt_with_disabled_key(b: Bench) -> Any:
    key = b.key().split("/")[1]
    blob = b.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    b.kms.disable_key(KeyId=key)
    return outcome(lambda: b.kms.decrypt(CiphertextBlob=blob))


def rotation_period(b: Bench) -> Any:
    key = b.key()
    b.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    return b.kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays")


def create_with_disabled_key(b: Bench) -> Any:
    key = b.key()
    b.kms.disable_key(KeyId=key)
    return outcome(lambda: b.instance(StorageEncrypted=True, KmsKeyId=key))


def create_with_alias(b: Bench) -> Any:
    key = b.key()
    b.kms.create_alias(AliasName="alias/db", TargetKeyId=key)
    return b.instance(StorageEncrypted=True, KmsKeyId="alias/db")["KmsKeyId"] == key


def restore_under_disabled_key(b: Bench) -> Any:
    key = b.key()
    b.instance(StorageEncrypted=True, KmsKeyId=key)
    b.snapshot()
    b.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return outcome(b.restore)


def copy_of_a_copy(b: Bench) -> Any:
    old, new = b.key(), b.key()
    b.instance(StorageEncrypted=True, KmsKeyId=old)
    b.snapshot()
    b.copy("snap", "copy", KmsKeyId=new)
    return b.copy("copy", "copy-2")["KmsKeyId"] == new


def copy_under_a_disabled_source_key(b: Bench) -> Any:
    old, new = b.key(), b.key()
    b.instance(StorageEncrypted=True, KmsKeyId=old)
    b.snapshot()
    b.kms.disable_key(KeyId=old)
    return outcome(lambda: b.copy("snap", "copy", KmsKeyId=new))


def aws_managed(b: Bench) -> Any:
    b.instance(StorageEncrypted=True)
    return b.kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["KeyManager"]


def private_zone(b: Bench) -> Any:
    vpc = b.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zone = b.route53.create_hosted_zone(
        Name="shop.internal", CallerReference="r", VPC={"VPCRegion": "eu-central-1", "VPCId": vpc}
    )["HostedZone"]
    got = b.route53.get_hosted_zone(Id=zone["Id"])
    return got["HostedZone"]["Config"]["PrivateZone"], [each["VPCId"] == vpc for each in got.get("VPCs", [])]


def existing_record(b: Bench) -> Any:
    zone = b.route53.create_hosted_zone(Name="shop.internal", CallerReference="r")["HostedZone"]["Id"]

    def change(action: str, target: str) -> Any:
        record = {"Name": "db.shop.internal", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": target}]}
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        return b.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    change("CREATE", "one.example")
    change("UPSERT", "two.example")
    return outcome(lambda: change("CREATE", "three.example"))


def last_usage(b: Bench) -> Any:
    key = b.key()
    try:
        before = b.kms.get_key_last_usage(KeyId=key).get("KeyLastUsage")
    except NotImplementedError:
        return "not implemented"
    b.kms.encrypt(KeyId=key, Plaintext=b"x")
    return before, b.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"]
