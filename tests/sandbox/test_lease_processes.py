"""A common journal under real processes that are killed and paused: one at a time works, and each knows when it is not.

Every run adds lines "token number" to the journal, each a write that counts only where nobody has written meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.moto_api._internal import moto_api_backend
from sandbox_fakes import FakeFleet

from rotator.config.sandbox import AccessKey
from rotator.sandbox.aws.patches import PATCHES, Context, installed
from rotator.sandbox.aws.server import serve
from rotator.sandbox.aws.timeline import Durations

KEY = AccessKey("SANDBOXLEASETEST", "of-this-test-alone")
AT_ONCE = Durations(create=0, snapshot=0, copy=0, restore=0, modify=0, delete=0)
TTL = 3.0
LONGEST = 60.0
RUN = """
import os, sys, time
from pathlib import Path
from rotator.aws.session import Aws
from rotator.config.schema import AwsConfig, Env, JournalConfig
from rotator.domain.errors import LockedError
from rotator.host.uptime import uptime
from rotator.journal.lease import Owner
from rotator.journal.s3 import S3Store

class Clock:
    uptime = staticmethod(uptime)
    wait = staticmethod(time.sleep)

endpoint, name, ttl = sys.argv[1], sys.argv[2], float(sys.argv[3])
aws = Aws(AwsConfig(region="us-east-1", endpoint_url=endpoint), (os.environ["KEY_ID"], os.environ["SECRET"]))
objects = aws.objects(JournalConfig(s3="s3://team/journals"))
store = S3Store(objects, "journals/local", lambda verb: Owner(verb, name, os.getpid(), "now"), Clock(), ttl)
try:
    with store.lock("rotate"):
        print("has it", store.token, flush=True)
        number = 0
        while True:
            found = store.read()
            lines = found.data if found else b""
            number += 1
            store.write(lines + b"%d %d\\n" % (store.token, number), found.version if found else None)
            time.sleep(0.05)
except LockedError as error:
    print(error.code, error.why.replace("\\n", " "), flush=True)
"""


@dataclass
class Bucket:
    """A local AWS with a bucket, and the runs of a test."""

    url: str
    started: list[subprocess.Popen[str]]

    def run(self, name: str) -> subprocess.Popen[str]:
        environ = {**os.environ, "KEY_ID": KEY.key_id, "SECRET": KEY.secret}
        environ = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, self.url, name, str(TTL)], env=environ, stdout=subprocess.PIPE, text=True
        )
        self.started.append(run)
        return run

    def lines(self) -> list[tuple[int, int]]:
        client = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=KEY.key_id,
            aws_secret_access_key=KEY.secret,
        )  # fmt: skip
        try:
            found = client.get_object(Bucket="team", Key="journals/local/journal.json")["Body"].read().decode()
        except client.exceptions.NoSuchKey:
            return []
        return [(int(line.split()[0]), int(line.split()[1])) for line in found.splitlines()]

    def holds(self) -> None:
        """Tokens only grow, and each run's own writes are all there, in their order."""
        lines = self.lines()
        assert [token for token, _ in lines] == sorted(token for token, _ in lines)
        for token in {token for token, _ in lines}:
            own = [number for each, number in lines if each == token]
            assert own == list(range(1, len(own) + 1))


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with installed(PATCHES, Context(FakeFleet(), time.monotonic, AT_ONCE)):
        server = serve("127.0.0.1", 0, {}, KEY)
        moto_api_backend.reset()
        found = Bucket(f"http://127.0.0.1:{server.port}", [])
        client = boto3.client(
            "s3", endpoint_url=found.url, region_name="us-east-1", aws_access_key_id=KEY.key_id,
            aws_secret_access_key=KEY.secret,
        )  # fmt: skip
        client.create_bucket(Bucket="team")
        try:
            yield found
        finally:
            for run in found.started:
                run.kill()
                run.wait()
            server.close()


def said(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    return run.stdout.readline().strip()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_of_five_at_once_one_works_and_the_others_say_who(bucket: Bucket) -> None:
    told = [said(run) for run in [bucket.run(f"run-{number}") for number in range(5)]]
    assert told.count("has it 1") == 1
    winner = told.index("has it 1")
    assert [line for line in told if line.startswith("locked ")] == [line for line in told if line != "has it 1"]
    assert all(f"run-{winner}" in line for line in told if line.startswith("locked "))
    bucket.holds()


def test_a_run_that_was_killed_is_followed_by_the_next(bucket: Bucket) -> None:
    for token in (1, 2, 3):
        run = bucket.run(f"run-{token}")
        assert said(run) == f"has it {token}"
        until(lambda token=token: (token, 3) in bucket.lines())  # type: ignore[misc]
        run.kill()
    bucket.holds()


def test_a_run_that_was_paused_stops_when_it_wakes_up(bucket: Bucket) -> None:
    first = bucket.run("paused")
    assert said(first) == "has it 1"
    until(lambda: (1, 3) in bucket.lines())
    first.send_signal(signal.SIGSTOP)
    second = bucket.run("second")
    assert said(second) == "has it 2"
    until(lambda: (2, 3) in bucket.lines())
    first.send_signal(signal.SIGCONT)
    assert said(first).startswith(("lease-lost ", "journal-changed "))
    assert first.wait(LONGEST) == 0
    seen = len(bucket.lines())
    until(lambda: len(bucket.lines()) > seen + 3)
    bucket.holds()


def test_a_short_pause_costs_nothing(bucket: Bucket) -> None:
    """Shorter than the lease is trusted for: nobody could have taken over."""
    run = bucket.run("one")
    assert said(run) == "has it 1"
    until(lambda: (1, 3) in bucket.lines())
    run.send_signal(signal.SIGSTOP)
    time.sleep(0.2)  # the pause itself
    run.send_signal(signal.SIGCONT)
    seen = len(bucket.lines())
    until(lambda: len(bucket.lines()) > seen + 3)
    bucket.holds()
