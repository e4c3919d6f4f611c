"""The local AWS's HTTP server: moto, the sandbox's own paths below /_sandbox/, and the guard in front of both."""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from rotator.config.sandbox import AccessKey
from rotator.sandbox.aws.calls import Calls
from rotator.sandbox.aws.guard import Guard
from rotator.sandbox.errors import SandboxError, SandboxPortTaken

PREFIX = "/_sandbox/"
Answer = Callable[[], Mapping[str, Any]]
Pages = Mapping[tuple[str, str], Answer]
"""(method, name below /_sandbox/) -> what gives the JSON object."""


class AwsServer:
    """A running server; close() stops it."""

    def __init__(self, server: BaseWSGIServer, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self._thread = threading.Thread(target=server.serve_forever, name="aws", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop listening and wait until the server's thread is gone; idempotent."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._listener.close()


def serve(host: str, port: int, pages: Pages, key: AccessKey, calls: Calls | None = None) -> AwsServer:
    """Listen at `host`:`port` (0: any free one), for requests that are signed with `key`. Raises SandboxPortTaken."""
    listener = _listen(host, port)
    # Requests carry passwords in their bodies: no request is ever logged.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    front = _Front(pages, DomainDispatcherApplication(create_backend_app))
    app = Guard(front, key, int(listener.getsockname()[1]), calls or Calls())
    server = make_server(
        host,
        listener.getsockname()[1],
        app,
        threaded=True,
        request_handler=_QuietHandler,
        fd=listener.fileno(),
    )
    return AwsServer(server, listener)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SandboxPortTaken(
                f"the local AWS cannot listen on {host}:{port}",
                why="another program listens there (another sandbox, perhaps: its env runs `rotator sandbox down`)",
                fix="remove aws.endpoint_url from rotation.toml (a free port is then chosen), or stop that program",
            ) from None
        raise SandboxError(f"the local AWS cannot listen on {host}:{port}", why=str(error)) from error
    return listener


class _Front:
    """A WSGI application: our own pages, and moto for everything else."""

    def __init__(self, pages: Pages, moto: Any) -> None:
        self._pages = pages
        self._moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            answer: Iterable[bytes] = self._moto(environ, start_response)
            return answer
        page = self._pages.get((environ["REQUEST_METHOD"], path.removeprefix(PREFIX).rstrip("/")))
        if page is None:
            return _json(start_response, "404 Not Found", {"error": f"no page {path}"})
        try:
            return _json(start_response, "200 OK", page())
        except SandboxError as error:
            return _json(start_response, "503 Service Unavailable", {"error": error.what, "why": error.why})


def _json(start_response: Any, status: str, body: Mapping[str, Any]) -> Iterable[bytes]:
    data = (json.dumps(body) + "\n").encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]


class _QuietHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is logged of a request."""
