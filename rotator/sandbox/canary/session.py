"""One client's session: opened through the name, used until it breaks, and clear about what a failure means.

It speaks through libpq itself: at hundreds of transactions a second a driver's conveniences would cost more than the
server does, and the canary shares the machine with the servers that it checks.
"""

from __future__ import annotations

import psycopg
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus

from rotator.sandbox.canary.dns import CachingResolver
from rotator.sandbox.interface import Login

CONNECT_SECONDS = 3
STATEMENT_MILLISECONDS = 5000
"""A write that waits longer (for a lock that a fence holds, say) is given up and tried again from the name on."""

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Refused(Exception):
    """The server said no, or was not reached: what was sent has not happened. `code`: an SQLSTATE or a word."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Broken(Exception):
    """The connection broke while something was sent: it may or may not have happened."""


class Session:
    """Not thread-safe. A session that `follows` the name is renewed when the name leads elsewhere after its TTL.

    Others keep a connection until it breaks or a write fails, as most applications do. After a failure the name is
    asked in any case; when it still leads to a server whose session is sound, that session is used again: a new one
    would cost the fenced server more than the write, and learn nothing.
    """

    def __init__(self, login: Login, resolver: CachingResolver, application: str, *, follows: bool) -> None:
        self._login = login
        self._resolver = resolver
        self._application = application
        self._follows = follows
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._address: str | None = None
        self._doubted = False

    def open(self) -> None:
        """Ensure a session with the server behind the name. Raises Refused, or RotatorError of the resolver."""
        if self._connection is not None and not self._follows and not self._doubted:
            return
        address = self._resolver.address(self._login.host)
        if address is None:
            raise Refused("name", f"{self._login.host} leads to no address")
        if self._connection is None or address != self._address:
            self.close()
            self._connection = self._connect(address)
            self._address = address
        self._doubted = False

    def send(self, statements: bytes) -> None:
        """One round trip. Raises Refused (outside of any transaction again) or Broken (closed)."""
        assert self._connection is not None
        server = self._connection.pgconn
        try:
            result = server.exec_(statements)
        except psycopg.OperationalError as error:
            self.close()
            raise Broken(str(error)) from error
        if result.status not in _FAILED:
            return
        if server.status != ConnStatus.OK:
            self.close()
            raise Broken(result.get_error_message())
        code = (result.error_field(DiagnosticField.SQLSTATE) or b"?????").decode()
        self._end_transaction()
        raise Refused(code, result.get_error_message())

    def has_committed(self, writer: int, seq: int) -> bool:
        """Whether the row is there; Refused while an older session of this client, which may still commit it, is."""
        others = self.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_backend_pid() AND datname = current_database()",
            self._application,
        )
        if others:
            raise Refused("older", "an older session of this writer is still there")
        return self.ask("SELECT count(*) FROM canary.writes WHERE writer = %s AND seq = %s", writer, seq) > 0

    def ask(self, query: str, *parameters: object) -> int:
        """A query that gives one number. Raises Refused; the session is closed then."""
        assert self._connection is not None
        try:
            row = self._connection.execute(query.encode(), parameters).fetchone()
        except psycopg.Error as error:
            self.close()
            raise Refused(error.sqlstate or "broken", str(error)) from error
        return int(str(row[0])) if row else 0

    def close(self) -> None:
        """Idempotent."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _end_transaction(self) -> None:
        """The transaction that failed is over whatever becomes of this: its commit was not reached."""
        assert self._connection is not None
        self._doubted = True
        server = self._connection.pgconn
        try:
            if server.transaction_status != TransactionStatus.IDLE:
                server.exec_(b"ROLLBACK")
        except psycopg.OperationalError:
            self.close()
            return
        if server.transaction_status != TransactionStatus.IDLE:
            self.close()

    def _connect(self, address: str) -> psycopg.Connection[tuple[object, ...]]:
        try:
            where = self._login.conninfo(
                "verify-ca",  # no certificate names a CNAME
                hostaddr=address,
                connect_timeout=CONNECT_SECONDS,
                application_name=self._application,
                options=f"-c statement_timeout={STATEMENT_MILLISECONDS}",
            )
            return psycopg.connect(where, autocommit=True)
        except psycopg.Error as error:
            raise Refused(error.sqlstate or "connect", str(error)) from error
