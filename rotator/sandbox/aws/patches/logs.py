"""RDS's log files: the real server's log, handed out in pages as RDS does.

Sources: RDS API Reference, DescribeDBLogFiles and DownloadDBLogFilePortion; for the cut at 1 MB: aws/aws-sdk issue 20.
RDS begins a file every hour; here one file, named by the hour of its first line, holds a server's whole life.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher
from rotator.sandbox.interface import Fleet

LONGEST_PAGE = 1024 * 1024
"""Bytes."""

MOST_LINES = 10_000
CUT = b" [Your log message was truncated]\n"
STAMP = re.compile(rb"^(\d{4}-\d\d-\d\d) (\d\d):", re.MULTILINE)
CONTINUATION = bytes(range(0x80, 0xC0))
"""Bytes within a UTF-8 character."""

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML cannot carry (XML 1.0, production Char)."""


def _describe_logs(patcher: Patcher, context: Context) -> None:
    def describe_db_log_files(self: Any) -> ActionResult:
        path = _log(self, context.fleet)
        name = None if path is None else _name(path)
        if path is None or name is None or self.params.get("FilenameContains", "") not in name:
            return ActionResult({"DescribeDBLogFiles": []})
        facts = path.stat()
        file = {"LogFileName": name, "LastWritten": int(facts.st_mtime * 1000), "Size": facts.st_size}
        return ActionResult({"DescribeDBLogFiles": [file]})

    patcher.put(RDSResponse, "describe_db_log_files", describe_db_log_files)


def _download_logs(patcher: Patcher, context: Context) -> None:
    def download_db_log_file_portion(self: Any) -> ActionResult:
        path, wanted = _log(self, context.fleet), self.params["LogFileName"]
        if path is None or _name(path) != wanted:
            raise RDSClientError("DBLogFileNotFoundFault", f"DBLog File: {wanted}, is not found on the DB instance")
        lines = int(self.params.get("NumberOfLines") or MOST_LINES)
        marker = self.params.get("Marker")
        data, end, more = _last(path, lines) if marker is None else _page(path, _offset(marker), lines)
        text = UNPRINTABLE.sub("\ufffd", data.decode(errors="replace"))
        return ActionResult({"LogFileData": text, "Marker": str(end), "AdditionalDataPending": more})

    patcher.put(RDSResponse, "download_db_log_file_portion", download_db_log_file_portion)


def _log(response: Any, fleet: Fleet) -> Path | None:
    """The log of the instance that a request names; None when no server of ours is behind it."""
    database = response.backend.describe_db_instances(response.params["DBInstanceIdentifier"])[0]
    identifier = database.db_instance_identifier
    return fleet.log(identifier) if identifier in fleet.addresses() else None


def _name(path: Path) -> str | None:
    """As RDS names it, by the UTC hour of its first line; None before there is one."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        found = STAMP.search(file.read(LONGEST_PAGE))
    return found and f"error/postgresql.log.{found[1].decode()}-{found[2].decode()}"


def _offset(marker: str) -> int:
    if not marker.isdecimal():
        raise RDSClientError("InvalidParameterValue", f"Invalid marker: {marker}")
    return int(marker)


def _page(path: Path, start: int, lines: int) -> tuple[bytes, int, bool]:
    """From byte `start`: data, where it ends, whether more follows."""
    with path.open("rb") as file:
        file.seek(start)
        whole = b"".join(line for _, line in zip(range(lines), file, strict=False))
        data = whole[: _most(whole)]
        end = start + len(data)
        return data if data == whole else data + CUT, end, end < file.seek(0, 2)


def _most(data: bytes) -> int:
    """How many bytes go into a page: the cut may be within a line, but not within a UTF-8 character."""
    end = min(len(data), LONGEST_PAGE)
    while end < len(data) and data[end] in CONTINUATION:
        end -= 1
    return end


def _last(path: Path, lines: int) -> tuple[bytes, int, bool]:
    """The end of the file: data, where it ends, and that nothing follows."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LONGEST_PAGE))
        data = file.read(LONGEST_PAGE).lstrip(CONTINUATION)
    return b"".join(BytesIO(data).readlines()[-lines:]), size, False


PATCHES = (
    Patch("log-files", "moto invents log files", _describe_logs),
    Patch("log-portions", "moto has no DownloadDBLogFilePortion", _download_logs),
)
