"""What a client sees of states, data and backups: scenarios of test_moto_gaps."""

from __future__ import annotations

from typing import Any

from moto_bench import Bench, outcome


def statuses_of_a_creation(b: Bench) -> Any:
    seen = []
    got = b.instance(settled=False)
    for _ in range(3):
        seen.append((got["DBInstanceStatus"], "Endpoint" in got))
        b.clock.pass_seconds(5)
        got = b.describe()
    return seen


def statuses_of_a_modification(b: Bench) -> Any:
    b.instance()
    b.rds.modify_db_instance(DBInstanceIdentifier="blue", BackupRetentionPeriod=3)
    during = b.describe()["DBInstanceStatus"]
    b.settle()
    return during, b.describe()["DBInstanceStatus"]


def statuses_of_a_copy(b: Bench) -> Any:
    b.instance()
    b.snapshot()
    b.rds.copy_db_snapshot(SourceDBSnapshotIdentifier="snap", TargetDBSnapshotIdentifier="copy")
    seen = []
    for _ in range(3):
        got = b.described_snapshot("copy")
        seen.append((got["Status"], got["PercentProgress"]))
        b.clock.pass_seconds(5)
    return seen


def statuses_of_a_snapshot(b: Bench) -> Any:
    b.instance()
    during = b.snapshot(settled=False)["Status"], b.describe()["DBInstanceStatus"]
    b.settle()
    return during, (b.described_snapshot("snap")["Status"], b.describe()["DBInstanceStatus"])


def source_deleted_under_a_copy(b: Bench) -> Any:
    b.instance()
    b.snapshot()
    b.rds.copy_db_snapshot(SourceDBSnapshotIdentifier="snap", TargetDBSnapshotIdentifier="copy")
    b.rds.delete_db_snapshot(DBSnapshotIdentifier="snap")
    b.settle()
    return b.described_snapshot("copy")["Status"]


def deletion(b: Bench) -> Any:
    b.instance()
    b.rds.delete_db_instance(DBInstanceIdentifier="blue", SkipFinalSnapshot=True)
    during = outcome(b.describe), outcome(b.instance)
    b.settle()
    return *during, outcome(b.describe)


def locked_out(b: Bench) -> Any:
    key = b.key()
    b.instance(StorageEncrypted=True, KmsKeyId=key)
    b.kms.disable_key(KeyId=key)
    without_key = b.describe()["DBInstanceStatus"]
    b.kms.enable_key(KeyId=key)
    return without_key, b.describe()["DBInstanceStatus"]


LOCKED_OUT = "inaccessible-encryption-credentials-recoverable"


def snapshot_too_early(b: Bench) -> Any:
    b.instance(settled=False)
    return outcome(b.snapshot)


def snapshot_of_a_stopped_one(b: Bench) -> Any:
    b.instance()
    b.rds.stop_db_instance(DBInstanceIdentifier="blue")
    b.settle()
    change = {"DBInstanceIdentifier": "blue", "BackupRetentionPeriod": 2}
    return outcome(b.snapshot), outcome(lambda: b.rds.modify_db_instance(**change))


def unfinished_snapshot(b: Bench) -> Any:
    b.instance()
    b.snapshot(settled=False)
    return outcome(lambda: b.copy("snap", "copy")), outcome(lambda: b.restore("snap", "g2"))


def data_of_a_restore(b: Bench) -> Any:
    b.instance()
    b.snapshot()
    b.copy("snap", "copy")
    b.restore("copy")
    return b.fleet.servers.get("green")


def passwords(b: Bench) -> Any:
    b.instance()
    b.modify(MasterUserPassword="second-password")
    return b.fleet.passwords.get("blue")


def server_of_a_deleted_one(b: Bench) -> Any:
    b.instance()
    b.rds.delete_db_instance(DBInstanceIdentifier="blue", FinalDBSnapshotIdentifier="final")
    return "blue" in b.fleet.servers, b.fleet.snapshots.get("final")


def data_of_a_snapshot(b: Bench) -> Any:
    b.instance()
    b.snapshot()
    return b.fleet.snapshots.get("snap")


def data_of_a_deleted_snapshot(b: Bench) -> Any:
    b.instance()
    b.snapshot()
    b.fleet.snapshots["snap"] = "something"
    b.rds.delete_db_snapshot(DBSnapshotIdentifier="snap")
    return "snap" in b.fleet.snapshots


def managed_password(b: Bench) -> Any:
    got = b.instance(MasterUserPassword="", ManageMasterUserPassword=True)
    secret = b.secret(got["MasterUserSecret"]["SecretArn"])
    return secret["username"], secret["password"] == b.fleet.passwords.get("blue"), secret["password"] == "P@55w0rd!"


def identifier_used_again(b: Bench) -> Any:
    b.instance()
    b.rds.delete_db_instance(DBInstanceIdentifier="blue", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    b.settle()
    return outcome(b.instance)


def no_retention(b: Bench) -> Any:
    b.instance(BackupRetentionPeriod=0)
    return len(b.rds.describe_db_snapshots(DBInstanceIdentifier="blue")["DBSnapshots"])


def retained_backups(b: Bench) -> Any:
    key = b.key()
    b.instance(StorageEncrypted=True, KmsKeyId=key)
    b.rds.delete_db_instance(DBInstanceIdentifier="blue", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    b.settle()
    found = b.rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    return [(each["Status"], each.get("KmsKeyId") == key, "DbiResourceId" in each) for each in found]


def pending_values(b: Bench) -> Any:
    b.instance()
    waits = b.modify(AllocatedStorage=30)
    applied = b.modify(ApplyImmediately=True)
    return (
        (waits["AllocatedStorage"], waits.get("PendingModifiedValues")),
        (applied["AllocatedStorage"], applied.get("PendingModifiedValues")),
    )


def quotas(b: Bench) -> Any:
    b.instance()
    try:
        found = b.rds.describe_account_attributes()["AccountQuotas"]
    except NotImplementedError:
        return "not implemented"
    return [(each["Used"], each["Max"]) for each in found if each["AccountQuotaName"] == "DBInstances"]


def too_many_instances(b: Bench) -> Any:
    for number in range(40):
        b.instance(f"i{number}", settled=False, BackupRetentionPeriod=0)
    return outcome(lambda: b.instance("one-more"))


def no_final_snapshot(b: Bench) -> Any:
    b.instance()
    both = {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "final"}
    return (
        outcome(lambda: b.rds.delete_db_instance(DBInstanceIdentifier="blue", **both)),
        outcome(lambda: b.rds.delete_db_instance(DBInstanceIdentifier="blue")),
    )


def log_files(b: Bench) -> Any:
    b.instance()
    return len(b.rds.describe_db_log_files(DBInstanceIdentifier="blue")["DescribeDBLogFiles"])


def log_portion(b: Bench) -> Any:
    b.instance()
    request = {"DBInstanceIdentifier": "blue", "LogFileName": "error/postgresql.log.2026-01-02-03"}
    try:
        return outcome(lambda: b.rds.download_db_log_file_portion(**request))
    except NotImplementedError:
        return "not implemented"


def replica(b: Bench) -> Any:
    b.instance()
    names = {"DBInstanceIdentifier": "r", "SourceDBInstanceIdentifier": "blue"}
    return outcome(lambda: b.rds.create_db_instance_read_replica(**names))
