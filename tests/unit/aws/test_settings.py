"""DescribeDBInstances -> aws_db_instance arguments, for each engine's peculiarities."""

from __future__ import annotations

import json

import pytest
from aws_elements import ENGINES, NEW_KEY, OLD_KEY, OTHER_KEY, element

from rotator.aws.settings import not_carried, rekeyed, terraform_settings

OWN_FIELDS = {
    "identifier",
    "snapshot_identifier",
    "kms_key_id",
    "storage_encrypted",
    "deletion_protection",
    "skip_final_snapshot",
    "final_snapshot_identifier",
    "delete_automated_backups",
    "apply_immediately",
    "tags",
    "password",
}


def test_postgres_whole():
    assert terraform_settings(element("postgres")) == {
        "allocated_storage": 500,
        "auto_minor_version_upgrade": True,
        "backup_retention_period": 7,
        "backup_window": "03:10-03:40",
        "copy_tags_to_snapshot": True,
        "database_insights_mode": "standard",
        "db_name": "orders",
        "db_subnet_group_name": "private",
        "dedicated_log_volume": False,
        "enabled_cloudwatch_logs_exports": ["postgresql", "upgrade"],
        "engine": "postgres",
        "engine_lifecycle_support": "open-source-rds-extended-support-disabled",
        "engine_version": "16.3",
        "iam_database_authentication_enabled": True,
        "instance_class": "db.m7g.large",
        "iops": 12000,
        "license_model": "postgresql-license",
        "maintenance_window": "sun:04:00-sun:04:30",
        "max_allocated_storage": 1000,
        "monitoring_interval": 60,
        "monitoring_role_arn": "arn:aws:iam::123456789012:role/rds-monitoring",
        "multi_az": True,
        "network_type": "IPV4",
        "parameter_group_name": "orders-pg16",
        "performance_insights_enabled": True,
        "performance_insights_kms_key_id": OLD_KEY,
        "performance_insights_retention_period": 7,
        "port": 5432,
        "publicly_accessible": False,
        "storage_throughput": 500,
        "storage_type": "gp3",
        "username": "postgres",
        "vpc_security_group_ids": ["sg-0a", "sg-0b"],
    }


def test_mysql_small_gp3_without_backups_with_an_option_group_and_a_managed_secret():
    found = terraform_settings(element("mysql"))
    assert "iops" not in found
    assert "storage_throughput" not in found
    assert "max_allocated_storage" not in found
    assert found["availability_zone"] == "eu-west-1a"
    assert found["option_group_name"] == "shop-audit"
    assert found["backup_retention_period"] == 0
    assert found["monitoring_interval"] == 0
    assert "monitoring_role_arn" not in found
    assert "performance_insights_kms_key_id" not in found
    assert "performance_insights_retention_period" not in found
    assert found["manage_master_user_password"] is True
    assert found["master_user_secret_kms_key_id"] == OLD_KEY


def test_sqlserver_keeps_tuned_gp3_its_directory_and_time_zone():
    found = terraform_settings(element("sqlserver"))
    assert (found["iops"], found["storage_throughput"]) == (3000, 125)
    assert found["character_set_name"] == "SQL_Latin1_General_CP1_CI_AS"
    assert found["timezone"] == "GMT Standard Time"
    assert found["domain"] == "d-1234567890"
    assert found["domain_iam_role_name"] == "rds-directory"
    assert "domain_fqdn" not in found
    assert "db_name" not in found
    assert found["license_model"] == "license-included"


def test_oracle_keeps_io2_its_character_sets_and_a_self_managed_directory():
    found = terraform_settings(element("oracle"))
    assert found["iops"] == 20000
    assert "storage_throughput" not in found
    assert found["nchar_character_set_name"] == "AL16UTF16"
    assert found["db_name"] == "ORCL"
    assert found["domain_fqdn"] == "corp.example.com"
    assert found["domain_dns_ips"] == ["10.0.0.5", "10.0.0.4"]
    assert found["domain_auth_secret_arn"].endswith(":secret:ad")
    assert "domain" not in found
    assert "domain_iam_role_name" not in found


@pytest.mark.parametrize(
    ("engine", "kind", "size", "tuned"),
    [
        ("postgres", "gp3", 399, False),
        ("postgres", "gp3", 400, True),
        ("oracle-se2", "gp3", 199, False),
        ("oracle-se2", "gp3", 200, True),
        ("sqlserver-ex", "gp3", 20, True),
        ("postgres", "gp2", 1000, False),
        ("postgres", "standard", 1000, False),
        ("postgres", "io1", 100, True),
    ],
)
def test_iops_are_given_only_where_rds_takes_them(engine, kind, size, tuned):
    found = terraform_settings(element(Engine=engine, StorageType=kind, AllocatedStorage=size))
    assert ("iops" in found) is tuned
    assert ("storage_throughput" in found) is (tuned and kind == "gp3")


@pytest.mark.parametrize("engine", ENGINES)
def test_all_of_it_is_json_and_nothing_of_the_modules_own(engine):
    found = terraform_settings(element(engine))
    assert json.loads(json.dumps(found)) == found
    assert not OWN_FIELDS & found.keys()
    assert None not in found.values()
    assert "" not in found.values()
    assert "ca_cert_identifier" not in found


def test_an_instance_that_is_still_creating():
    found = terraform_settings({"DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": 20})
    assert "port" not in found
    assert found["backup_retention_period"] == 0
    assert found["multi_az"] is False


def test_outposts_and_rds_custom():
    found = terraform_settings(
        element(BackupTarget="outposts", CustomerOwnedIpEnabled=True, CustomIamInstanceProfile="AWSRDSCustomX")
    )
    assert found["backup_target"] == "outposts"
    assert found["customer_owned_ip_enabled"] is True
    assert found["custom_iam_instance_profile"] == "AWSRDSCustomX"


def test_rekeyed_moves_every_other_use_of_the_old_key():
    found = rekeyed(terraform_settings(element("mysql") | {"PerformanceInsightsEnabled": True}), OLD_KEY, NEW_KEY)
    assert found["performance_insights_kms_key_id"] == NEW_KEY
    assert found["master_user_secret_kms_key_id"] == NEW_KEY
    assert found["engine"] == "mysql"


def test_rekeyed_leaves_other_keys_alone():
    settings = terraform_settings(element(PerformanceInsightsKMSKeyId=OTHER_KEY))
    assert rekeyed(settings, OLD_KEY, NEW_KEY) == settings
    assert rekeyed(settings, None, NEW_KEY) == settings


def test_what_terraform_cannot_carry_over_is_named():
    found = not_carried(
        element(
            "oracle",
            AssociatedRoles=[
                {"RoleArn": "arn:aws:iam::1:role/s3", "FeatureName": "S3_INTEGRATION", "Status": "ACTIVE"}
            ],
            ActivityStreamStatus="started",
            ActivityStreamMode="async",
            DBInstanceAutomatedBackupsReplications=[{"DBInstanceAutomatedBackupsArn": "arn:aws:rds:eu-west-2:1:ab"}],
        )
    )
    assert "processor features: coreCount 4, threadsPerCore 1" in found
    assert "IAM roles for features: S3_INTEGRATION arn:aws:iam::1:role/s3" in found
    assert "automated backups replicated to another Region: arn:aws:rds:eu-west-2:1:ab" in found
    assert "a database activity stream: async" in found
    assert not_carried(element("postgres")) == ()
