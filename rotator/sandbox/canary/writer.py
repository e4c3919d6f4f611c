"""One client of the write canary: numbered transactions, each tried until it is known to be committed, never twice.

A transaction fails in two ways that must not be mixed up. Refused, or cut off before its commit was sent: it did not
happen, and the same number is tried again. Cut off during the commit: nobody knows; the writer first makes sure that
its old session is gone from the server that it talks to now, then looks for the row, and only then tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from rotator.domain.errors import RotatorError
from rotator.sandbox.canary.dns import CachingResolver
from rotator.sandbox.canary.log import Kind, WriterLog, last_tried
from rotator.sandbox.canary.mix import Plan, counters, plan
from rotator.sandbox.canary.session import Broken, Refused, Session
from rotator.sandbox.interface import CanarySettings

LOG = logging.getLogger(__name__)

RETRY_SECONDS = 0.02
"""Short, so that the end of a pause is seen when it comes."""
PATIENT_RETRY_SECONDS = 0.2
PATIENCE_SECONDS = 2.0
"""What fails for longer than this is tried less often: a server that starts has other things to do."""
LONG_SECONDS = (1.0, 2.0, 3.0, 4.0)
"""How long the transactions of a slow writer stay open, in turns."""


@dataclass(frozen=True)
class Pace:
    """Seconds from the start of one transaction to the next, and seconds that each stays open, in turns."""

    interval: float
    open_seconds: tuple[float, ...] = (0.0,)


class Writer:
    """Writes the transactions (number, 1), (number, 2), ... at its pace until `stop` is set.

    Writers with an even number are like pools that renew connections: they follow the name.
    """

    def __init__(
        self, number: int, settings: CanarySettings, resolver: CachingResolver, pace: Pace, stop: threading.Event
    ) -> None:
        self.number = number
        self._folder = settings.folder
        self._pace = pace
        self._stop = stop
        self._session = Session(settings.login, resolver, f"canary-{number}", follows=number % 2 == 0)
        self._log = WriterLog(settings.folder, number)
        self._unknown = False
        self._failing_since: float | None = None

    def run(self) -> None:
        """Until stopped. Every failure of the database or of DNS is met by trying again."""
        try:
            seq = self._first_number()
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                # what is late by an interval catches up; there is no burst after a pause
                due = max(due, time.monotonic() - self._pace.interval) + self._pace.interval
                self._log.tried(seq)
                if not self._write_until_known(seq):
                    return
                seq += 1
        finally:
            self._session.close()
            self._log.close()

    def _first_number(self) -> int:
        """One after the last that this writer is known to have tried, by its log or by the table."""
        while not self._stop.is_set():
            try:
                self._session.open()
                self._session.send(counters(self.number))
                query = "SELECT coalesce(max(seq), 0) FROM canary.writes WHERE writer = %s"
                stored = self._session.ask(query, self.number)
            except (Refused, Broken, RotatorError) as error:
                self._rest("start", error)
                continue
            self._failing_since = None
            return max(last_tried(self._folder, self.number), stored) + 1
        return 0  # never used: stopped

    def _write_until_known(self, seq: int) -> bool:
        """True when the transaction is committed; False when stopped before that is known."""
        seconds = self._pace.open_seconds[seq % len(self._pace.open_seconds)]
        steps = plan(self.number, seq, patient=seconds > 0)
        while not self._stop.is_set():
            try:
                self._session.open()
                self._attempt(seq, steps, seconds)
            except (Refused, Broken, RotatorError) as error:
                self._log.failed(Kind.UNKNOWN if self._unknown else Kind.FAIL, seq, _code(error))
                self._rest(f"transaction {seq}", error)
                continue
            self._log.acknowledged(seq)
            self._failing_since = None
            return True
        return False

    def _attempt(self, seq: int, steps: Plan, seconds: float) -> None:
        """Returns when the transaction is committed; when it raises, `_unknown` says whether it may be nevertheless."""
        if self._unknown and self._session.has_committed(self.number, seq):
            self._unknown = False
            return
        self._unknown = False
        for step in steps.before:
            self._session.send(step)
            if seconds:
                self._stop.wait(seconds / len(steps.before))
        try:
            self._session.send(steps.last)
        except Broken:
            self._unknown = True
            raise

    def _rest(self, doing: str, error: Exception) -> None:
        """After a failure; told once, as a pause makes many of them."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            LOG.info("writer %d, %s: %s", self.number, doing, str(error).strip().replace("\n", " "))
        lasting = now - self._failing_since > PATIENCE_SECONDS
        self._stop.wait(PATIENT_RETRY_SECONDS if lasting else RETRY_SECONDS)


def _code(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.code
    return "broken" if isinstance(error, Broken) else "dns"
