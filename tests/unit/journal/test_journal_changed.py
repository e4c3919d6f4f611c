"""A journal that somebody else has written is never written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_channels import Replication
from fake_store import MemoryStore, Place
from fakes import BLUE, new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.journal.datafile import DataFile
from rotator.journal.document import Journal
from rotator.journal.keeper import JournalKeeper
from rotator.journal.private import InMemory
from rotator.journal.store import JournalChanged
from rotator.rotation.steps.context import Options


def keeper(place: Place, folder: Path) -> JournalKeeper:
    return JournalKeeper("shop", MemoryStore(place), DataFile(folder / DATA_FILE), InMemory())


def test_of_two_that_have_read_the_same_the_second_is_refused(tmp_path: Path) -> None:
    place = Place()
    one, two = keeper(place, tmp_path), keeper(place, tmp_path)
    one.load()
    two.load()
    one.save(Journal("shop", next_generation=2))
    with pytest.raises(JournalChanged):
        two.save(Journal("shop", next_generation=3))
    assert two.load().next_generation == 2
    two.save(Journal("shop", next_generation=4))
    assert one.load().next_generation == 4


def test_one_that_has_read_nothing_writes_over_nothing(tmp_path: Path) -> None:
    place = Place()
    one = keeper(place, tmp_path)
    one.load()
    one.save(Journal("shop"))
    with pytest.raises(JournalChanged):
        keeper(place, tmp_path).save(Journal("shop", next_generation=3))


def test_a_run_stops_when_its_journal_is_exchanged_under_it_and_goes_on_when_run_again(tmp_path: Path) -> None:
    world = new_world()
    found = services(world, tmp_path)
    file = tmp_path / JOURNAL_FILE
    wait = found.clock.wait

    def pulls(seconds: float) -> None:
        """As `git pull` would: the same journal in another layout."""
        wait(seconds)
        if not file.read_text().startswith("\n"):
            file.write_text("\n" + file.read_text())

    found.clock.wait = pulls  # type: ignore[method-assign]
    with pytest.raises(JournalChanged) as refused:
        rotate(found, Options())
    assert str(file) in refused.value.what
    assert file.read_text().startswith("\n")
    rotate(services(world, tmp_path), Options())
    assert world.both_writable == 0
    assert world.record.values[0].startswith("shop-db-g1.")


def test_a_run_never_goes_on_from_what_somebody_else_wrote(tmp_path: Path) -> None:
    """A second look would make the next save of what was read before pass for one of what is there now."""
    place = Place()
    run = keeper(place, tmp_path)
    run.take_up()
    run.save(Journal("shop"))
    other = keeper(place, tmp_path)
    other.load()
    other.save(Journal("shop", next_generation=7))
    with pytest.raises(JournalChanged):
        run.load()
    with pytest.raises(JournalChanged):
        run.save(Journal("shop", next_generation=2))
    assert other.load().next_generation == 7


@pytest.mark.parametrize("strategy", ["snapshot", "replicate"])
def test_blue_stays_as_it_is_when_another_run_may_be_about_to_flip(tmp_path: Path, strategy: str) -> None:
    world = new_world()
    world.replication = Replication() if strategy == "replicate" else None
    found = services(world, tmp_path, strategy=strategy)
    save = found.keeper.save

    def overtaken(journal: Journal) -> None:
        """As soon as blue is shut, somebody else has the journal."""
        if world.data[BLUE].fenced_by is not None:
            raise JournalChanged("journal.json")
        save(journal)

    found.keeper.save = overtaken  # type: ignore[method-assign]
    with pytest.raises(JournalChanged) as refused:
        rotate(found, Options())
    assert world.data[BLUE].fenced_by is not None
    assert any("fenced" in line or "left as it is" in line for line in refused.value.details)
