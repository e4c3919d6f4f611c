"""RDS: instances, snapshots, backups, quotas, logs. Creating calls return at once; nothing here waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rotator.aws.elements import backup_of, cluster_snapshot_of, instance_of, snapshot_of, tag_list
from rotator.aws.faults import aws_faults, code_of
from rotator.aws.logs import LogFile, Page, lines_of, split
from rotator.domain.aws import AutomatedBackup, Deployment, Quota, Snapshot

if TYPE_CHECKING:
    from mypy_boto3_rds.client import RDSClient
    from mypy_boto3_rds.type_defs import DescribeDBLogFilesDetailsTypeDef


class BotoRds:
    """Implements Rds."""

    def __init__(self, client: RDSClient) -> None:
        self._client = client
        self._endpoint = client.meta.endpoint_url

    def instance(self, identifier: str) -> Deployment | None:
        """One instance by its identifier; None when there is none."""
        with aws_faults("rds", self._endpoint):
            try:
                found = self._client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
            except ClientError as fault:
                if code_of(fault) == "DBInstanceNotFound":
                    return None
                raise
        return instance_of(found[0]) if found else None

    def instances(self) -> tuple[Deployment, ...]:
        """Every instance of the account in this Region, members of clusters too."""
        with aws_faults("rds", self._endpoint):
            pages = self._client.get_paginator("describe_db_instances").paginate()
            return tuple(instance_of(element) for page in pages for element in page["DBInstances"])

    def snapshot(self, identifier: str) -> Snapshot | None:
        """One snapshot of an instance by its identifier; None when there is none."""
        with aws_faults("rds", self._endpoint):
            try:
                found = self._client.describe_db_snapshots(DBSnapshotIdentifier=identifier)["DBSnapshots"]
            except ClientError as fault:
                if code_of(fault) == "DBSnapshotNotFound":
                    return None
                raise
        return snapshot_of(found[0]) if found else None

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Every snapshot that the account owns in this Region, each once.

        Those of AWS Backup are asked for by name: DescribeDBSnapshots promises only manual and automated ones.
        Snapshots of clusters come too, as kind 'cluster-...': a key that encrypts one is still needed.
        """
        with aws_faults("rds", self._endpoint):
            return tuple({found.arn: found for found in self._snapshots()}.values())

    def _snapshots(self) -> Iterator[Snapshot]:
        paginator = self._client.get_paginator("describe_db_snapshots")
        for page in paginator.paginate():
            yield from (snapshot_of(element) for element in page["DBSnapshots"])
        for page in paginator.paginate(SnapshotType="awsbackup"):
            yield from (snapshot_of(element) for element in page["DBSnapshots"])
        for clusters in self._client.get_paginator("describe_db_cluster_snapshots").paginate():
            yield from (cluster_snapshot_of(element) for element in clusters["DBClusterSnapshots"])

    def automated_backups(self) -> tuple[AutomatedBackup, ...]:
        """Every automated backup, of instances that run and of those that are gone (retained)."""
        with aws_faults("rds", self._endpoint):
            pages = self._client.get_paginator("describe_db_instance_automated_backups").paginate()
            return tuple(backup_of(element) for page in pages for element in page["DBInstanceAutomatedBackups"])

    def quotas(self) -> tuple[Quota, ...]:
        """The account's RDS quotas, such as DBInstances and ManualSnapshots."""
        with aws_faults("rds", self._endpoint):
            found = self._client.describe_account_attributes()["AccountQuotas"]
        return tuple(Quota(q.get("AccountQuotaName", ""), q.get("Used", 0), q.get("Max", 0)) for q in found)

    def create_snapshot(self, instance: str, identifier: str, tags: Mapping[str, str]) -> Snapshot:
        """Begin a snapshot (CreateDBSnapshot)."""
        with aws_faults("rds", self._endpoint):
            answer = self._client.create_db_snapshot(
                DBInstanceIdentifier=instance, DBSnapshotIdentifier=identifier, Tags=tag_list(tags)
            )
        return snapshot_of(answer["DBSnapshot"])

    def copy_snapshot(self, source: Snapshot, identifier: str, kms_key_arn: str, tags: Mapping[str, str]) -> Snapshot:
        """Begin a copy under another key (CopyDBSnapshot): the one call that re-encrypts an instance's data.

        The copy gets `tags` and none of the source's, so that what finds a rotation's things by tag finds no others.
        """
        with aws_faults("rds", self._endpoint):
            answer = self._client.copy_db_snapshot(
                SourceDBSnapshotIdentifier=source.arn,
                TargetDBSnapshotIdentifier=identifier,
                KmsKeyId=kms_key_arn,
                CopyTags=False,
                Tags=tag_list(tags),
            )
        return snapshot_of(answer["DBSnapshot"])

    def modify(self, identifier: str, settings: Mapping[str, Any]) -> None:
        """Set what no restore takes (ModifyDBInstance, at once); `settings` by the names of the request."""
        with aws_faults("rds", self._endpoint):
            self._client.modify_db_instance(DBInstanceIdentifier=identifier, ApplyImmediately=True, **settings)

    def delete_snapshot(self, identifier: str) -> None:
        """Begin to delete a manual snapshot; one that is gone already is no error."""
        with aws_faults("rds", self._endpoint):
            try:
                self._client.delete_db_snapshot(DBSnapshotIdentifier=identifier)
            except ClientError as fault:
                if code_of(fault) != "DBSnapshotNotFound":
                    raise

    def log_files(self, instance: str) -> tuple[LogFile, ...]:
        """The database's log files that RDS still keeps, oldest first."""
        with aws_faults("rds", self._endpoint):
            pages = self._client.get_paginator("describe_db_log_files").paginate(DBInstanceIdentifier=instance)
            found = (log_file_of(element) for page in pages for element in page["DescribeDBLogFiles"])
            return tuple(sorted(found, key=lambda each: (each.last_written, each.name)))

    def log_lines(self, instance: str, name: str) -> Iterator[str]:
        """Lines of one log file from its beginning, read as they are asked for; errors come then too."""

        def read(marker: str, lines: int) -> Page:
            with aws_faults("rds", self._endpoint):
                answer = self._client.download_db_log_file_portion(
                    DBInstanceIdentifier=instance, LogFileName=name, Marker=marker, NumberOfLines=lines
                )
            more = bool(answer.get("AdditionalDataPending"))
            return Page(answer.get("LogFileData", ""), answer.get("Marker", marker), more)

        return lines_of(read, f"log {name} of {instance}")

    def log_tail(self, instance: str, name: str, lines: int = 1000) -> tuple[str, ...]:
        """The last lines of one log file, fewer when they are more than 1 MB; the first may lack its beginning then."""
        with aws_faults("rds", self._endpoint):
            answer = self._client.download_db_log_file_portion(
                DBInstanceIdentifier=instance, LogFileName=name, NumberOfLines=lines
            )
        return split(answer.get("LogFileData", ""))


def log_file_of(element: DescribeDBLogFilesDetailsTypeDef) -> LogFile:
    """An element of DescribeDBLogFiles, which counts milliseconds."""
    written = datetime.fromtimestamp(element.get("LastWritten", 0) / 1000, UTC)
    return LogFile(element.get("LogFileName", ""), written, element.get("Size", 0))
