"""Access control of the local AWS: it accepts only requests that are signed with this sandbox's access key.

moto checks no credentials and answers every web page (CORS). So this guard checks every request first: its Host must
be this server's own (a name that was rebound to this machine is not), no Origin (no program of AWS sends one, every
browser does), and its signature must be made with the sandbox's secret key.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotator.config.sandbox import AccessKey
from rotator.sandbox.aws.calls import Calls
from rotator.sandbox.aws.signatures import Refusal, Signed, check
from rotator.sandbox.daemon.endpoints import LOCAL_HOSTS

LARGEST_BODY = 16 * 1024 * 1024
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Guard:
    """A WSGI application in front of another one."""

    inner: Application
    key: AccessKey
    port: int
    calls: Calls

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer 403, or hand the request on."""
        body = _take_body(environ)
        refused = self._stranger(environ) if body is not None else Refusal("RequestEntityTooLarge", "a body too large")
        found = refused or check(environ, body or b"", self.key.key_id, self.key.secret, datetime.now(UTC))
        if isinstance(found, Signed):
            self.calls.note(found.service, environ, body or b"")
            return self.inner(environ, _without_cors(start_response))
        return _refuse(environ, start_response, found)

    def _stranger(self, environ: Mapping[str, Any]) -> Refusal | None:
        if environ.get("HTTP_HOST") not in {f"{host}:{self.port}" for host in LOCAL_HOSTS}:
            return Refusal("AccessDenied", "the request names another host than this sandbox")
        if "HTTP_ORIGIN" in environ:
            return Refusal("AccessDenied", "the request comes from a web page")
        return None


def _take_body(environ: dict[str, Any]) -> bytes | None:
    """The whole body, which the inner application can read again; None when it is too large."""
    stream = environ["wsgi.input"]
    if environ.pop("wsgi.input_terminated", False):
        body = stream.read(LARGEST_BODY + 1)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        length = environ.get("CONTENT_LENGTH") or "0"
        body = stream.read(min(int(length), LARGEST_BODY + 1)) if length.isascii() and length.isdigit() else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body if len(body) <= LARGEST_BODY else None


def _without_cors(start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
        return start_response(status, kept, *rest)

    return start


def _refuse(environ: Mapping[str, Any], start_response: Any, refusal: Refusal) -> Iterable[bytes]:
    """In the form that the client's SDK reads, JSON or XML, without any text of the request."""
    if "HTTP_X_AMZ_TARGET" in environ:
        code = "UnrecognizedClientException" if refusal.code == "InvalidClientTokenId" else refusal.code
        kind, data = "application/x-amz-json-1.1", f'{{"__type": "{code}", "message": "{refusal.why}"}}'
    else:
        kind = "text/xml"
        data = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.code}</Code>"
            f"<Message>{refusal.why}</Message></Error></ErrorResponse>"
        )
    start_response("403 Forbidden", [("Content-Type", kind), ("Content-Length", str(len(data.encode())))])
    return [data.encode()]
