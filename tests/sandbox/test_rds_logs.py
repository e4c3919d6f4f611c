"""RDS's log files in the local AWS: real logs, pages as RDS makes them, through a real client over HTTP."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto.core.base_backend import BackendDict
from moto_bench import TAKES, without
from sandbox_fakes import FakeClock, FakeFleet

from rotator.aws.rds import BotoRds
from rotator.config.sandbox import AccessKey
from rotator.sandbox.aws import server as aws_server
from rotator.sandbox.aws.patches import PATCHES, Context, Patch, installed
from rotator.sandbox.aws.patches.logs import LONGEST_PAGE, MOST_LINES
from rotator.sandbox.postgres.fleet import open_fleet, sweep

PASSWORD = "logs-test-Passw0rd"
NAME = "error/postgresql.log.2026-01-02-03"
FIRST = "2026-01-02 03:59:59 UTC::@:[1]:LOG:  starting\n"


@dataclass
class WrittenLogs(FakeFleet):
    """A fake fleet whose servers' log is one file of the test."""

    path: Path = field(default_factory=Path)

    def log(self, identifier: str) -> Path:
        assert identifier in self.servers
        return self.path


@contextmanager
def aws(fleet: Any, clock: Any, patches: tuple[Patch, ...] = PATCHES) -> Iterator[Any]:
    """A client of the local AWS's own server, with one instance, blue."""
    with installed(patches, Context(fleet, clock, TAKES)):
        server = aws_server.serve("127.0.0.1", 0, {}, AccessKey("x", "x"))
        url = f"http://127.0.0.1:{server.port}"
        session: Any = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-central-1")
        rds = session.client("rds", endpoint_url=url)
        try:
            rds.create_db_instance(
                DBInstanceIdentifier="blue",
                DBInstanceClass="db.m6g.large",
                Engine="postgres",
                AllocatedStorage=20,
                MasterUsername="admin_user",
                MasterUserPassword=PASSWORD,
                DBName="shop",
            )
            yield rds
        finally:
            server.close()
            BackendDict.reset()  # what the server knows is the process's


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_text(FIRST)
    return path


@pytest.fixture
def rds(log: Path) -> Iterator[Any]:
    with aws(WrittenLogs(path=log), FakeClock()) as client:
        yield client


def portion(rds: Any, name: str = NAME, **asked: Any) -> tuple[str, str, bool]:
    got = rds.download_db_log_file_portion(DBInstanceIdentifier="blue", LogFileName=name, **asked)
    return got["LogFileData"], got["Marker"], got["AdditionalDataPending"]


def code(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_the_file_is_named_by_the_hour_of_its_first_line(rds: Any, log: Path) -> None:
    def files(**more: str) -> Any:
        return rds.describe_db_log_files(DBInstanceIdentifier="blue", **more)["DescribeDBLogFiles"]

    written = int(log.stat().st_mtime * 1000)
    assert files() == [{"LogFileName": NAME, "LastWritten": written, "Size": len(FIRST)}]
    assert files(FilenameContains="2026-01-02") == files()
    assert files(FilenameContains="2026-01-03") == []
    log.unlink()
    assert files() == []


def test_what_is_not_there_has_rdss_codes(rds: Any) -> None:
    assert code(lambda: rds.describe_db_log_files(DBInstanceIdentifier="none")) == "DBInstanceNotFound"
    request = {"DBInstanceIdentifier": "none", "LogFileName": NAME}
    assert code(lambda: rds.download_db_log_file_portion(**request)) == "DBInstanceNotFound"
    assert code(lambda: portion(rds, "error/postgresql.log.2026-01-02-04")) == "DBLogFileNotFoundFault"
    assert code(lambda: portion(rds, "../cluster.json")) == "DBLogFileNotFoundFault"
    assert code(lambda: portion(rds, Marker="x")) == "InvalidParameterValue"


def test_pages_from_the_beginning_and_from_the_end(rds: Any, log: Path) -> None:
    log.write_text(FIRST + "two\nthree\nfour")
    text, marker, more = portion(rds, Marker="0", NumberOfLines=2)
    assert (text, more) == (FIRST + "two\n", True)
    text, marker, more = portion(rds, Marker=marker, NumberOfLines=2)
    assert (text, more) == ("three\nfour", False)
    assert portion(rds, Marker=marker) == ("", marker, False)
    with log.open("a") as file:
        file.write("!\n")
    assert portion(rds, Marker=marker)[0] == "!\n"
    assert portion(rds, NumberOfLines=2)[0] == "three\nfour!\n"
    assert portion(rds)[0] == FIRST + "two\nthree\nfour!\n"
    log.write_text(FIRST + "x\n" * MOST_LINES)
    assert portion(rds)[0] == "x\n" * MOST_LINES
    assert portion(rds, Marker="0")[2] is True


def test_a_page_of_more_than_a_megabyte_is_cut_and_the_facade_reads_every_line_all_the_same(
    rds: Any, log: Path
) -> None:
    lines = [FIRST.rstrip("\n"), *(f"{n} {'é' * 2000}" for n in range(700)), "ä" * LONGEST_PAGE, "last\x07"]
    log.write_text("\n".join(lines) + "\n")
    text, marker, more = portion(rds, Marker="0")
    assert text.endswith("é [Your log message was truncated]\n")
    assert LONGEST_PAGE - 4 < int(marker) <= LONGEST_PAGE
    assert more
    end = portion(rds)[0]
    assert end.startswith("ä" * 1000)
    assert LONGEST_PAGE - 4 < len(end.replace("\ufffd", "?").encode()) <= LONGEST_PAGE
    assert list(BotoRds(rds).log_lines("blue", NAME)) == [*lines[:-1], "last\ufffd"]


def test_moto_alone_invents_a_file(log: Path) -> None:
    with aws(WrittenLogs(path=log), FakeClock(), without("log-files")) as client:
        found = client.describe_db_log_files(DBInstanceIdentifier="blue")["DescribeDBLogFiles"]
    assert [each["Size"] for each in found] == [123]
    assert found[0]["LogFileName"] != NAME


def test_moto_alone_hands_out_nothing(log: Path) -> None:
    with aws(WrittenLogs(path=log), FakeClock(), without("log-portions")) as client, pytest.raises(ResponseParserError):
        portion(client)  # the server falls over


@pytest.mark.postgres
def test_the_facade_reads_a_restored_servers_recovery() -> None:
    folder = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    folder.chmod(0o711)
    fleet = open_fleet(folder / "fleet")
    try:
        with aws(fleet, time.monotonic) as client:
            rds = BotoRds(client)
            with psycopg.connect(
                host=fleet.addresses()["blue"], user="admin_user", password=PASSWORD, dbname="shop", autocommit=True
            ) as connection:
                connection.execute("CREATE TABLE t AS SELECT generate_series(1, 500) n")
                fleet.snapshot("blue", "s")
            fleet.delete("blue")
            fleet.restore("s", "blue", {})
            (file,) = rds.log_files("blue")
            lines = list(rds.log_lines("blue", file.name))
            assert file.size == fleet.log("blue").stat().st_size
            assert lines == fleet.log("blue").read_text().splitlines()
            for words in ("redo starts at", "redo done at", "ready to accept connections"):
                assert sum(words in line for line in lines) == 1
            assert rds.log_tail("blue", file.name, 2) == tuple(lines[-2:])
    finally:
        sweep(folder / "fleet")
        folder.rmdir()
