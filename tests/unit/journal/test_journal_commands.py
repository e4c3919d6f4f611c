"""journal show, verify, pull, push; unlock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_objects import MemoryObjects, Shared
from fake_world import new_world
from rotations import services
from test_lease import TTL, Time, owner

from rotator.commands.journal import JournalStores, as_json, as_text, pull, push, refuse_unmoved, show, unlock, verify
from rotator.commands.rotation import rotate
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import Blocked, LockedError, UsageError
from rotator.journal.held import LeaseLost
from rotator.journal.local import LocalStore, keeper_of
from rotator.journal.s3 import S3Store
from rotator.rotation.steps.context import Options

KEY = f"team/shop/{JOURNAL_FILE}"


@pytest.fixture
def shared() -> Shared:
    return Shared(lambda: 0.0)


@pytest.fixture
def stores(tmp_path: Path, shared: Shared) -> JournalStores:
    """The env has a journal as a file; the bucket is empty."""
    rotate(services(new_world(), tmp_path), Options())
    store = S3Store(MemoryObjects(shared), "team/shop", lambda verb: owner(), Time(), TTL)
    return JournalStores("shop", keeper_of("shop", tmp_path, store, tmp_path / "p"), store, LocalStore(tmp_path))


@pytest.fixture
def local(tmp_path: Path) -> JournalStores:
    store = LocalStore(tmp_path)
    return JournalStores("shop", keeper_of("shop", tmp_path, store, tmp_path / "p"), store, store)


def test_a_journal_that_is_still_a_file_is_not_begun_anew(stores: JournalStores) -> None:
    with pytest.raises(Blocked) as refused:
        refuse_unmoved(stores)
    assert (refused.value.code, refused.value.fix) == ("journal-not-moved", "Move it: rotator journal push shop")
    push(stores)
    refuse_unmoved(stores)


def test_push_moves_the_file_and_never_writes_over_another_journal(stores: JournalStores, shared: Shared) -> None:
    data = stores.file.path.read_bytes()
    assert "moved to s3://team/team/shop/journal.json" in push(stores)
    assert shared.found[KEY][0] == data
    assert not stores.file.path.exists()
    stores.file.path.write_bytes(data.replace(b"soaking", b"retired"))
    with pytest.raises(Blocked) as refused:
        push(stores)
    assert refused.value.code == "journal-twice"
    assert shared.found[KEY][0] == data
    assert stores.file.path.exists()


def test_push_goes_on_where_it_was_cut_off(stores: JournalStores) -> None:
    """Written to the bucket, and killed before the file was removed."""
    stores.store.write(stores.file.path.read_bytes(), None)
    assert "moved" in push(stores)
    assert not stores.file.path.exists()


def test_what_is_no_journal_is_not_moved(stores: JournalStores) -> None:
    stores.file.path.write_text("{}")
    with pytest.raises(Blocked):
        push(stores)
    assert stores.file.path.exists()


def test_pull_gives_a_copy_and_never_writes_over_another_one(stores: JournalStores, shared: Shared) -> None:
    push(stores)
    assert "a copy to look at" in pull(stores)
    assert stores.file.path.read_bytes() == shared.found[KEY][0]
    assert pull(stores)
    stores.file.path.write_text("another")
    with pytest.raises(Blocked):
        pull(stores)
    assert stores.file.path.read_text() == "another"


@pytest.mark.parametrize("command", [push, pull])
def test_without_a_bucket_there_is_nothing_to_move(
    command: Callable[[JournalStores], str], local: JournalStores
) -> None:
    with pytest.raises(UsageError, match="is a file of the env"):
        command(local)


def test_show_and_verify(stores: JournalStores, shared: Shared) -> None:
    push(stores)
    journal, events = show(stores)
    text, document = as_text(journal, events, "there"), as_json(journal, events, "there")
    assert "shop-g1: soaking" in text
    assert len(document["events"]) == len(events) == verify(stores)
    found = json.loads(shared.found[KEY][0])
    found["events"][4]["actor"] = "nobody"
    shared.found[KEY] = (json.dumps(found).encode(), '"x"', 0.0)
    with pytest.raises(Blocked) as refused:
        verify(stores)
    assert refused.value.code == "journal-chain"
    assert "Event 5 of" in refused.value.what


def test_unlock_frees_the_env_writes_that_down_and_shuts_out_the_holder(stores: JournalStores) -> None:
    push(stores)
    held = S3Store(stores.store.objects, "team/shop", lambda verb: owner("dead"), Time(), TTL)  # type: ignore[attr-defined]
    with held.lock("rotate"):
        assert "it was held by rotate, dead@laptop" in unlock(stores, "arn:ann", "the runner is gone")
        _, events = show(stores)
        assert (events[-1].actor, events[-1].evidence) == ("arn:ann", "the runner is gone")
        assert events[-1].what.startswith("unlocked: was held by rotate, dead@laptop")
        with pytest.raises(LeaseLost):
            held.renew()
    assert unlock(stores, "arn:ann", "again") == "nobody holds shop"
    verify(stores)


def test_a_holder_that_moves_in_that_moment_keeps_it(stores: JournalStores, shared: Shared) -> None:
    push(stores)
    held = S3Store(MemoryObjects(shared), "team/shop", lambda verb: owner(), Time(), TTL)
    with held.lock("rotate"):
        objects = MemoryObjects(shared, lose=lambda: held.renew() or "")  # type: ignore[func-returns-value]
        other = S3Store(objects, "team/shop", lambda verb: owner(), Time(), TTL)
        with pytest.raises(LockedError, match="being renewed"):
            other.unlock()
        held.renew()


def test_the_kernels_lock_is_nobodys_to_take(local: JournalStores) -> None:
    with pytest.raises(UsageError, match="nothing to unlock"):
        unlock(local, "arn:ann", "why")
