"""Counts requested AWS operations, such as 'rds:DescribeDBInstances': the rights that a rotation needs."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session

from rotator.config.sandbox import OWN_SERVICE


@dataclass(frozen=True)
class Calls:
    """Counts by client and operation; thread-safe. Names only: no contents of a request."""

    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, service: str, environ: Mapping[str, Any], body: bytes) -> None:
        """One request came in."""
        if service != OWN_SERVICE:
            client = str(environ.get("HTTP_USER_AGENT", "?")).partition("/")[0]
            with self._lock:
                self._counts[client, f"{service}:{_operation(service, environ, body)}"] += 1

    def clear(self) -> None:
        """Reset the counts."""
        with self._lock:
            self._counts.clear()

    def to_json(self) -> dict[str, dict[str, int]]:
        """First word of the client's User-Agent (Boto3; APN is Terraform's provider) -> operation -> how often."""
        found: dict[str, dict[str, int]] = {}
        with self._lock:
            for (client, operation), count in sorted(self._counts.items()):
                found.setdefault(client, {})[operation] = count
        return found


def _operation(service: str, environ: Mapping[str, Any], body: bytes) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    url = urlsplit(environ["RAW_URI"])
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return next(iter(parse_qs(body.decode(errors="replace")).get("Action", ())), "?")
    method = environ["REQUEST_METHOD"]
    found = [name for verb, path, name in _rest(service) if verb == method and path.fullmatch(url.path)]
    return found[0] if found else f"{method} {url.path}"


@cache
def _rest(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """HTTP method, path and operation of a service that is asked by paths (botocore's model of it)."""
    return tuple(_operations(service))


def _operations(service: str) -> Iterator[tuple[str, re.Pattern[str], str]]:
    session: Any = botocore.session.get_session()
    if service not in session.get_available_services():
        return
    model = session.get_service_model(service)
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = urlsplit(http["requestUri"]).path
        pattern = re.sub(r"\\\{\w+\\?\+\\\}", ".+", re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path.rstrip("/"))))
        yield http["method"], re.compile(pattern + "/?"), name
