"""One client of the write canary: numbered rows, each tried until it is known to be committed, never twice.

A write fails in two ways that must not be mixed up. Refused or cut off before COMMIT was sent: it did not happen, and
the same number is tried again. Cut off during COMMIT: nobody knows; the writer first makes sure that its old session
is gone from the server that it talks to now, then looks for the row, and only then tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from rotator.errors import RotatorError
from rotator.sandbox.canary_dns import CachingResolver
from rotator.sandbox.canary_log import Kind, WriterLog, read
from rotator.sandbox.interface import CanarySettings

LOG = logging.getLogger(__name__)
Connection = psycopg.Connection[tuple[object, ...]]

RETRY_SECONDS = 0.1
CONNECT_SECONDS = 3
STATEMENT_MILLISECONDS = 5000
"""A write that waits longer (for a lock that a fence holds, say) is given up and tried again from the name on."""


class Writer:
    """Writes (number, 1), (number, 2), ... at its share of the rate until `stop` is set.

    Writers with an even number are like pools that renew connections: when the name leads elsewhere after its TTL,
    they follow. Odd ones hold a connection until it breaks or a write fails, as most applications do.
    """

    def __init__(self, number: int, settings: CanarySettings, resolver: CachingResolver, stop: threading.Event) -> None:
        self._number = number
        self._login = settings.login
        self._resolver = resolver
        self._folder = settings.folder
        self._interval = settings.writers / settings.writes_per_second
        self._stop = stop
        self._log = WriterLog(settings.folder, number)
        self._connection: Connection | None = None
        self._address: str | None = None

    def run(self) -> None:
        """Until stopped. Every failure of the database or of DNS is met by trying again."""
        seq = 0
        try:
            seq = self._first_number()
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due = max(due + self._interval, time.monotonic())  # no burst after a pause
                self._log.add(Kind.TRY, seq)
                if not self._write_until_known(seq):
                    return
                seq += 1
        finally:
            self._disconnect()
            self._log.close()

    def _first_number(self) -> int:
        """One after the last that this writer is known to have tried, by its log or by the table."""
        last = max((entry.seq for entry in read(self._folder, self._number)), default=0)
        stored = self._patiently(self._last_stored)
        return max(last, stored or 0) + 1

    def _write_until_known(self, seq: int) -> bool:
        """True when the row is committed; False when stopped before that is known."""
        unknown = False
        while not self._stop.is_set():
            try:
                connection = self._connected()
                if unknown and self._is_stored(connection, seq):
                    self._log.add(Kind.ACK, seq)
                    return True
                unknown = False
                connection.execute("INSERT INTO canary.writes (writer, seq) VALUES (%s, %s)", (self._number, seq))
            except (psycopg.Error, RotatorError) as error:
                self._failed(Kind.UNKNOWN if unknown else Kind.FAIL, seq, error)
                continue
            try:
                connection.commit()
            except psycopg.Error as error:
                unknown = True
                self._failed(Kind.UNKNOWN, seq, error)
                continue
            self._log.add(Kind.ACK, seq)
            return True
        return False

    def _failed(self, kind: Kind, seq: int, error: Exception) -> None:
        LOG.info("writer %d, row %d: %s", self._number, seq, str(error).strip().replace("\n", " "))
        self._log.add(kind, seq)
        self._disconnect()
        self._stop.wait(RETRY_SECONDS)

    def _connected(self) -> Connection:
        if self._connection is not None and (self._number % 2 or self._resolved() == self._address):
            return self._connection
        self._disconnect()
        address = self._resolved()
        self._connection = psycopg.connect(
            host=self._login.host,
            hostaddr=address,
            port=self._login.port,
            user=self._login.user,
            password=self._login.password,
            dbname=self._login.database,
            connect_timeout=CONNECT_SECONDS,
            application_name=self._application,
            options=f"-c statement_timeout={STATEMENT_MILLISECONDS}",
        )
        self._address = address
        return self._connection

    @property
    def _application(self) -> str:
        return f"canary-{self._number}"

    def _resolved(self) -> str:
        address = self._resolver.address(self._login.host)
        if address is None:
            raise psycopg.OperationalError(f"{self._login.host} leads to no address")
        return address

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _is_stored(self, connection: Connection, seq: int) -> bool:
        """Whether the row is there; asked only once no older session of ours can still commit it."""
        others = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_backend_pid() AND datname = current_database()",
            (self._application,),
        ).fetchall()
        connection.commit()
        if others:
            raise psycopg.OperationalError("an older session of this writer is still there")
        query = "SELECT 1 FROM canary.writes WHERE writer = %s AND seq = %s"
        found = connection.execute(query, (self._number, seq)).fetchone() is not None
        connection.commit()
        return found

    def _last_stored(self) -> int:
        connection = self._connected()
        query = "SELECT coalesce(max(seq), 0) FROM canary.writes WHERE writer = %s"
        row = connection.execute(query, (self._number,)).fetchone()
        connection.commit()
        return int(str(row[0])) if row else 0

    def _patiently(self, ask: Callable[[], int]) -> int | None:
        while not self._stop.is_set():
            try:
                return ask()
            except (psycopg.Error, RotatorError) as error:
                LOG.info("writer %d starts: %s", self._number, str(error).strip().replace("\n", " "))
                self._disconnect()
                self._stop.wait(RETRY_SECONDS)
        return None
