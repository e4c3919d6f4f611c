"""The database's log files through the RDS facade: order, pages without gaps, faults."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from rotator.aws.logs import CUT, PAGE_LINES, LogFile
from rotator.aws.rds import BotoRds
from rotator.domain.errors import AwsError

NAME = "error/postgresql.log.2026-01-02-03"


def stubbed() -> tuple[BotoRds, Stubber]:
    client = boto3.client(
        "rds",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    stub = Stubber(client)
    stub.activate()
    return BotoRds(client), stub


def page(stub: Stubber, asked: str, text: str, marker: str, *, more: bool, lines: int = PAGE_LINES) -> None:
    """The next answer, and the request that it answers."""
    request = {"DBInstanceIdentifier": "db", "LogFileName": NAME, "Marker": asked, "NumberOfLines": lines}
    answer = {"LogFileData": text, "Marker": marker, "AdditionalDataPending": more}
    stub.add_response("download_db_log_file_portion", answer, request)


def test_files_of_all_pages_the_oldest_first() -> None:
    rds, stub = stubbed()

    def element(hour: int, millisecond: int, size: int) -> dict[str, Any]:
        name = f"error/postgresql.log.2026-01-02-{hour:02}"
        return {"LogFileName": name, "LastWritten": millisecond, "Size": size}

    stub.add_response("describe_db_log_files", {"DescribeDBLogFiles": [element(4, 2500, 9)], "Marker": "m"})
    stub.add_response("describe_db_log_files", {"DescribeDBLogFiles": [element(3, 1500, 7)]})
    assert rds.log_files("db") == (
        LogFile(NAME, datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC), 7),
        LogFile(NAME.replace("-03", "-04"), datetime(1970, 1, 1, 0, 0, 2, 500_000, UTC), 9),
    )
    stub.assert_no_pending_responses()


def test_lines_that_pages_cut_in_two_are_whole_and_only_newlines_end_them() -> None:
    rds, stub = stubbed()
    page(stub, "0", "one\ntw", "3:6", more=True)
    page(stub, "3:6", "o\n\nfour\u2028 \x0b still\r\nfi", "3:9", more=True)
    page(stub, "3:9", "ve", "3:11", more=False)
    page(stub, "3:11", "", "3:11", more=False)
    assert list(rds.log_lines("db", NAME)) == ["one", "two", "", "four\u2028 \x0b still\r", "five"]
    stub.assert_no_pending_responses()


def test_what_follows_is_read_although_rds_says_that_nothing_does() -> None:
    rds, stub = stubbed()
    page(stub, "0", "one\n", "3:4", more=False)
    page(stub, "3:4", "two\n", "3:8", more=False)
    page(stub, "3:8", "", "3:8", more=False)
    assert list(rds.log_lines("db", NAME)) == ["one", "two"]


def test_the_last_page_may_come_without_a_place_to_go_on() -> None:
    rds, stub = stubbed()
    stub.add_response("download_db_log_file_portion", {"LogFileData": "one\n"})
    assert list(rds.log_lines("db", NAME)) == ["one"]
    stub.assert_no_pending_responses()


def test_pages_are_read_as_they_are_needed() -> None:
    rds, stub = stubbed()
    lines = rds.log_lines("db", NAME)
    page(stub, "0", "one\ntwo\n", "3:8", more=True)
    assert list(islice(lines, 2)) == ["one", "two"]
    stub.assert_no_pending_responses()


def test_a_page_that_rds_cut_is_asked_for_again_in_smaller_pieces() -> None:
    rds, stub = stubbed()
    page(stub, "0", f"one\ntw{CUT}\n", "3:6", more=False)
    page(stub, "0", "one\n", "3:4", more=True, lines=PAGE_LINES // 2)
    page(stub, "3:4", "two\n", "3:8", more=False, lines=PAGE_LINES // 2)
    page(stub, "3:8", "", "3:8", more=False, lines=PAGE_LINES // 2)
    assert list(rds.log_lines("db", NAME)) == ["one", "two"]
    stub.assert_no_pending_responses()


def test_a_line_that_no_page_holds_is_joined_without_the_notice() -> None:
    rds, stub = stubbed()
    lines = PAGE_LINES
    while lines > 1:
        page(stub, "0", f"lo{CUT}\n", "3:2", more=True, lines=lines)
        lines //= 2
    page(stub, "0", f"lo{CUT}\n", "3:2", more=True, lines=1)
    page(stub, "3:2", "ng\n", "3:5", more=False, lines=1)
    page(stub, "3:5", "", "3:5", more=False, lines=1)
    assert list(rds.log_lines("db", NAME)) == ["long"]


def test_more_that_never_comes_is_an_error_and_no_endless_loop() -> None:
    rds, stub = stubbed()
    page(stub, "0", "one\n", "3:4", more=True)
    page(stub, "3:4", "", "3:4", more=True)
    with pytest.raises(AwsError, match=f"all of the log {NAME} of db") as caught:
        list(rds.log_lines("db", NAME))
    assert "3:4" in caught.value.why


def test_the_tail_is_asked_for_without_a_marker() -> None:
    rds, stub = stubbed()
    for text in ("nine\nten\n", "nine\nten", ""):
        request = {"DBInstanceIdentifier": "db", "LogFileName": NAME, "NumberOfLines": 2}
        stub.add_response(
            "download_db_log_file_portion", {"LogFileData": text, "AdditionalDataPending": False}, request
        )
    assert rds.log_tail("db", NAME, 2) == ("nine", "ten")
    assert rds.log_tail("db", NAME, 2) == ("nine", "ten")
    assert rds.log_tail("db", NAME, 2) == ()


def test_faults_are_this_projects_errors() -> None:
    rds, stub = stubbed()
    denied = "User: x is not authorized to perform: rds:DownloadDBLogFilePortion on resource: y"
    stub.add_client_error("describe_db_log_files", "DBInstanceNotFound", "DBInstance db not found.", 404)
    stub.add_client_error("download_db_log_file_portion", "AccessDenied", denied, 403)
    stub.add_client_error("download_db_log_file_portion", "DBLogFileNotFoundFault", "none", 404)
    with pytest.raises(AwsError, match="rds:DescribeDBLogFiles"):
        rds.log_files("db")
    with pytest.raises(AwsError, match="rds:DownloadDBLogFilePortion"):
        next(rds.log_lines("db", NAME))
    with pytest.raises(AwsError) as caught:
        rds.log_tail("db", NAME)
    assert caught.value.why.startswith("DBLogFileNotFound")
