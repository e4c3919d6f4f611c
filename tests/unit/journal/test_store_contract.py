"""What every store of a journal's bytes must hold, tried on each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_objects import MemoryObjects, Shared
from fake_store import MemoryStore, Place
from moto_bench import REGION, services

from rotator.aws.objects import BotoObjects
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import LockedError
from rotator.domain.objects import Objects
from rotator.journal.lease import Owner
from rotator.journal.local import LocalStore
from rotator.journal.s3 import S3Store
from rotator.journal.store import JournalChanged, Store

Open = Callable[[], Store]
"""Another view of the same place: another clone, another process."""


TTL = 1.5
"""Seconds: short, for a second run waits for a sign of life of the first."""


class RealTime:
    """Implements journal.held.Clock."""

    def uptime(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def in_bucket(objects: Callable[[], Objects]) -> Open:
    def owner(verb: str) -> Owner:
        return Owner(verb, "ann@laptop", os.getpid(), "2026-11-27T10:00:00+00:00")

    return lambda: S3Store(objects(), "rotator/local", owner, RealTime(), TTL)


@pytest.fixture(params=["local", "memory", "objects in memory", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "local":
        yield lambda: LocalStore(tmp_path)
    elif request.param == "memory":
        place = Place()
        yield lambda: MemoryStore(place)
    elif request.param == "objects in memory":
        shared = Shared(time.monotonic)
        yield in_bucket(lambda: MemoryObjects(shared))
    else:
        with services() as local:
            local.s3.create_bucket(Bucket="team", CreateBucketConfiguration={"LocationConstraint": REGION})
            yield in_bucket(lambda: BotoObjects(local.s3, "team"))


def test_nothing_is_kept_at_first(opened: Open) -> None:
    assert opened().read() is None


def test_what_is_written_is_read_with_its_version(opened: Open) -> None:
    version = opened().write(b"one", None)
    found = opened().read()
    assert found is not None
    assert (found.data, found.version) == (b"one", version)
    assert opened().write(b"two", version) != version


def test_what_is_no_text_is_kept_as_well(opened: Open) -> None:
    opened().write(b"\xff\x00", None)
    found = opened().read()
    assert found is not None
    assert found.data == b"\xff\x00"


@pytest.mark.parametrize("expected", [None, "of another time"])
def test_a_version_that_has_passed_replaces_nothing(opened: Open, expected: str | None) -> None:
    version = opened().write(b"one", None)
    with pytest.raises(JournalChanged) as refused:
        opened().write(b"two", expected)
    assert (refused.value.code, refused.value.exit_code) == ("journal-changed", 40)
    found = opened().read()
    assert found is not None
    assert (found.data, found.version) == (b"one", version)


def test_what_is_gone_is_not_written_over(opened: Open) -> None:
    with pytest.raises(JournalChanged):
        opened().write(b"two", "of a file that was removed")
    assert opened().read() is None


def test_of_writers_who_expect_the_same_one_succeeds(opened: Open) -> None:
    first = opened().write(b"start", None)

    def write(number: int) -> bool:
        try:
            opened().write(b"%d" % number, first)
        except JournalChanged:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(40)))
    assert sum(outcomes) == 1
    found = opened().read()
    assert found is not None
    assert found.data == b"%d" % outcomes.index(True)


def test_one_run_at_a_time_and_who_it_is(opened: Open) -> None:
    assert opened().holder() is None
    with opened().lock("rotate"):
        assert "rotate" in (opened().holder() or "")
        with pytest.raises(LockedError), opened().lock("retire"):
            pass
    with opened().lock("retire"):
        assert "retire" in (opened().holder() or "")


def test_a_run_that_holds_the_env_may_write(opened: Open) -> None:
    with opened().lock("rotate"):
        assert opened().write(b"one", None)


HOLDS = """
import sys
from pathlib import Path
from rotator.journal.local import LocalStore
with LocalStore(Path(sys.argv[1])).lock("rotate"):
    print("held", flush=True)
    sys.stdin.read()
"""
DIES_IN_A_WRITE = """
import os, signal, sys
from pathlib import Path
from rotator.journal.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
found = store.read()
Path.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
store.write(b"new", found.version)
"""


def test_the_local_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="Another rotator"), LocalStore(tmp_path).lock("retire"):
            pass
        os.kill(run.pid, signal.SIGKILL)
    with LocalStore(tmp_path).lock("retire"):
        assert "retire" in (LocalStore(tmp_path).holder() or "")


def test_a_writer_that_is_killed_leaves_what_was_there_and_the_next_one_writes(tmp_path: Path) -> None:
    version = LocalStore(tmp_path).write(b"old", None)
    done = subprocess.run([sys.executable, "-c", DIES_IN_A_WRITE, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / JOURNAL_FILE).read_bytes() == b"old"
    LocalStore(tmp_path).write(b"new", version)
    assert (tmp_path / JOURNAL_FILE).read_bytes() == b"new"
