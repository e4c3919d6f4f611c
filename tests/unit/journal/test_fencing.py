"""A run that has lost its lease writes nothing more, whether it knows that or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fake_objects import MemoryObjects, Shared
from fake_world import new_world
from rotations import services
from test_lease import TTL, Time, owner

from rotator.commands.rotation import rollback, rotate
from rotator.domain.env_files import DATA_FILE
from rotator.domain.errors import Blocked
from rotator.domain.root import Imports
from rotator.journal.document import Journal
from rotator.journal.following import FollowingFile
from rotator.journal.held import LeaseLost
from rotator.journal.keeper import JournalKeeper
from rotator.journal.local import keeper_of, local_keeper
from rotator.journal.s3 import S3Store
from rotator.journal.store import JournalChanged
from rotator.rotation.steps.context import Options

JOURNAL = "team/shop/journal.json"


def store(shared: Shared, time: Time, name: str) -> S3Store:
    return S3Store(MemoryObjects(shared), "team/shop", lambda verb: owner(name), time, TTL)


def keeper(found: S3Store, folder: Path) -> JournalKeeper:
    folder.mkdir(exist_ok=True)
    return keeper_of("shop", folder, found, folder / "private")


def seen(shared: Shared) -> dict[str, object]:
    return dict(json.loads(shared.found[JOURNAL][0]))


def test_the_first_write_of_a_new_holder_shuts_out_the_one_before(tmp_path: Path) -> None:
    """The first one's own clock stands still: it trusts its lease, and only the journal can stop it."""
    time, still = Time(), Time()
    shared = Shared(time.uptime)
    first, second = store(shared, still, "ann"), store(shared, time, "bob")
    one, two = keeper(first, tmp_path / "one"), keeper(second, tmp_path / "two")
    with first.lock("rotate"):
        one.take_up()
        one.save(Journal("shop", next_generation=2))
        with second.lock("rotate"):
            two.take_up()
            assert seen(shared)["token"] == 2
            with pytest.raises(LeaseLost) as lost:
                one.save(Journal("shop", next_generation=9))
            assert "taken over by rotate, bob@laptop" in lost.value.why
            assert seen(shared)["next_generation"] == 2
            two.save(Journal("shop", next_generation=3))
    assert seen(shared)["next_generation"] == 3


def test_who_holds_it_is_told_for_as_long_as_it_shows_signs_of_life() -> None:
    time = Time()
    held, other = (store(Shared(time.uptime), time, name) for name in ("ann", "bob"))
    other.objects = held.objects
    assert other.holder() is None
    with held.lock("rotate"):
        assert "ann@laptop" in (other.holder() or "")
        time.now += TTL + 1
        assert other.holder() is None
    assert other.holder() is None


def test_a_clone_knows_its_file_when_it_was_cut_off_before_writing_it(tmp_path: Path) -> None:
    """The note is written first: between the two the file is the one before."""
    rotate(services(new_world(), tmp_path), Options())
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    file = FollowingFile(tmp_path / DATA_FILE, tmp_path / "note")
    file.write(root)
    before = file.path.read_text()
    file.write(replace(root, serving="g0"))
    file.path.write_text(before)
    other = replace(root, serving="gX")
    assert FollowingFile(file.path, tmp_path / "note").edited(other, None, ()) == ()
    file.path.write_text(before + " ")
    assert FollowingFile(file.path, tmp_path / "note").edited(other, None, ())


def test_one_that_knows_sends_nothing(tmp_path: Path) -> None:
    time = Time()
    shared = Shared(time.uptime)
    held = store(shared, time, "ann")
    kept = keeper(held, tmp_path)
    with held.lock("rotate"):
        kept.take_up()
        kept.save(Journal("shop", next_generation=2))
        puts = shared.puts
        time.now += TTL
        for act in (lambda: kept.save(Journal("shop", next_generation=3)), kept.renew):
            with pytest.raises(LeaseLost):
                act()
        assert shared.puts == puts


def test_whoever_has_written_past_a_lease_is_told_apart_from_a_lost_lease(tmp_path: Path) -> None:
    time = Time()
    shared = Shared(time.uptime)
    held = store(shared, time, "ann")
    kept = keeper(held, tmp_path)
    with held.lock("rotate"):
        kept.take_up()
        kept.save(Journal("shop"))
        shared.found[JOURNAL] = (b"{}", "by hand", 0.0)
        with pytest.raises(JournalChanged):
            kept.save(Journal("shop", next_generation=2))


def test_a_clone_that_is_behind_follows_and_one_that_was_edited_does_not(tmp_path: Path) -> None:
    """The data file of the first clone is what it wrote; meanwhile the journal has gone on from another one."""
    rotated = tmp_path / "source"
    rotate(services(new_world(), rotated), Options())
    root = json.loads((rotated / "journal.json").read_text())
    time = Time()
    shared = Shared(time.uptime)
    first, second = store(shared, time, "ann"), store(shared, time, "bob")
    one, two = keeper(first, tmp_path / "one"), keeper(second, tmp_path / "two")
    MemoryObjects(shared).put(JOURNAL, json.dumps({**root, "env": "shop"}).encode(), None)
    with first.lock("rotate"):
        one.take_up()
    with second.lock("retire"):
        two.take_up()
        journal = two.load()
        assert journal.root is not None
        behind = replace(journal.root, serving="g0")
        for number in (7, 8, 9):  # more saves than the journal keeps digests of
            two.save(Journal("shop", number, replace(behind, imports=Imports(keys={"g0": str(number)}))))
        two.save(Journal("shop", 10, behind))
    file = tmp_path / "one" / DATA_FILE
    assert '"serving": "g1"' in file.read_text()
    with first.lock("rotate"):
        keeper(first, tmp_path / "one").take_up()
    assert '"serving": "g0"' in file.read_text()
    file.write_text(file.read_text().replace('"serving": "g0"', '"serving": "gX"'))
    with first.lock("rotate"), pytest.raises(Blocked, match="not what the journal says"):
        keeper(first, tmp_path / "one").take_up()


@dataclass
class Lost:
    """A keeper whose lease is gone from some moment on."""

    keeper: Any
    gone: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keeper, name)

    def renew(self) -> None:
        if self.gone:
            raise LeaseLost("s3://team/shop/lease.json", "test")


def test_no_snapshot_is_deleted_by_a_run_that_has_lost_the_env(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    found = services(world, tmp_path)
    lost = Lost(found.keeper, gone=True)
    before = dict(world.snapshots)
    assert before
    with pytest.raises(LeaseLost):
        rollback(replace(found, keeper=lost), Options(delete_snapshots=True, lose_writes=True))
    assert before.keys() <= world.snapshots.keys()
    lost.gone = False
    rollback(services(world, tmp_path), Options(delete_snapshots=True, lose_writes=True))
    assert not before.keys() & world.snapshots.keys()
