"""Fetches a write canary's report: clients of the database that notice every lost or doubled write."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from rotator.domain.errors import DatabaseUnreachable


def fetch_report(url: str, headers: Mapping[str, str] | None = None, timeout: float = 120.0) -> Mapping[str, Any]:
    """GET `url` (http or https); a JSON object. Raises DatabaseUnreachable when there is no report to be had."""
    asked = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - rotation.toml allows http(s) only
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:  # noqa: S310
            document = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as fault:
        raise DatabaseUnreachable(
            f"The write canary at {url} gives no report.",
            why=str(fault),
            fix="Start it, or remove [canary] report_url from rotation.toml.",
            code="canary-unreachable",
        ) from fault
    if not isinstance(document, dict):
        raise DatabaseUnreachable(
            f"The write canary at {url} gives no report.",
            why="The answer is no JSON object.",
            code="canary-unreachable",
        )
    return document
