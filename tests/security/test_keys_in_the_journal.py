"""A reader of the committed journal: the bounds of ranges in flux are keys of rows, an email or a card number for one.

And somebody who loses, or plants, the file that has them instead: the comparison must be made again, never left out.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import World
from replicated import run, world_with_links
from rotations import services

from rotator.commands.rotation import rollback
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import Blocked, DatabaseError
from rotator.journal.document import journal_from_json
from rotator.journal.local import local_keeper
from rotator.journal.results import CutoverResult
from rotator.rotation.steps.context import Options

SECRET = "canary-4111-1111"
RANGE = {"database": "shop", "schema": "public", "table": "item", "key": ["card"], "low": None, "high": [SECRET]}
COMMITTED = (JOURNAL_FILE, "generations.auto.tfvars.json")


def stopped(folder: Path) -> World:
    """Before the flip, with something in flux."""
    world = world_with_links()
    world.replication.flux = (RANGE,)  # type: ignore[assignment]
    world.replication.refuse_window = "not in time"
    with pytest.raises(DatabaseError):
        run(world, folder)
    world.replication.refuse_window = ""
    return world


def private(folder: Path) -> Iterator[Path]:
    return (folder / ".rotator" / "private").glob("*.json")


def test_no_bound_is_in_the_journal(tmp_path: Path) -> None:
    stopped(tmp_path)
    text = (tmp_path / JOURNAL_FILE).read_text()
    assert SECRET not in text
    assert json.loads(text)["rotations"][0]["steps"]["validate"]["outputs"]["hot"][0]["table"] == "item"


def test_they_are_in_a_file_for_its_user_alone_that_is_never_committed(tmp_path: Path) -> None:
    stopped(tmp_path)
    (file,) = private(tmp_path)
    assert SECRET in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert (file.parent / ".gitignore").read_text() == "*\n"


def test_what_is_there_is_used(tmp_path: Path) -> None:
    world = stopped(tmp_path)
    before = len(world.replication.compared)
    run(world, tmp_path)
    assert len(world.replication.compared) == before
    assert world.record.values[0].startswith("shop-db-g1.")
    assert world.both_writable == 0


@pytest.mark.parametrize("how", ["lost", "planted", "not JSON", "a link", "another shape", "open to others"])
def test_without_it_everything_is_compared_anew(tmp_path: Path, how: str) -> None:
    world = stopped(tmp_path)
    before = len(world.replication.compared)
    (file,) = private(tmp_path)
    if how == "lost":
        file.unlink()
    elif how == "open to others":
        file.chmod(0o666)
    elif how == "a link":
        other = tmp_path / "other.json"
        file.rename(other)
        file.symlink_to(other)
    else:
        planted = {"salt": "0" * 32, "ranges": []}
        file.write_text({"planted": json.dumps(planted), "not JSON": "{", "another shape": "[1]"}[how])
    run(world, tmp_path)
    assert len(world.replication.compared) == before + 1
    assert world.record.values[0].startswith("shop-db-g1.")
    assert world.both_writable == 0


def test_it_goes_when_the_rotation_has_flipped_and_when_it_is_rolled_back(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    run(stopped(first), first)
    assert [*private(first)] == []
    world = stopped(second)
    rollback(services(world, second, strategy="replicate"), Options(delete_snapshots=True))
    assert [*private(second)] == []


def test_a_difference_is_told_without_its_key(tmp_path: Path) -> None:
    world = stopped(tmp_path)
    world.replication.differences = ("table shop.public.item: differs (1 row or range of it)",)
    world.replication.by_key = (f"table shop.public.item: row with card = {SECRET}: differs",)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert SECRET in " ".join(caught.value.on_terminal)
    assert SECRET not in " ".join((caught.value.what, caught.value.why, *caught.value.details))
    assert SECRET not in "".join((tmp_path / name).read_text() for name in COMMITTED)


def test_an_older_journal_loses_its_bounds_and_statements_with_the_next_save(tmp_path: Path) -> None:
    stopped(tmp_path)
    file = tmp_path / JOURNAL_FILE
    document = json.loads(file.read_text())
    steps = document["rotations"][0]["steps"]
    steps["validate"]["outputs"]["hot"] = [RANGE]
    lines = [f"pid 7 (user app, open since 10:00:00.1 UTC): select '{SECRET}'", f"pid 8 (user app): insert {SECRET}"]
    steps["cutover"] = {**steps["validate"], "outputs": {"cut_off": lines, "hot_back": [RANGE]}}
    quoted = f"duplicate key value: Key (card)=({SECRET}) already exists. Failing row contains (7, {SECRET}, null)."
    steps["catch-up"] = {**steps["validate"], "outputs": {}, "reason": quoted}
    keeper = local_keeper("shop", tmp_path)
    keeper.load()
    keeper.save(journal_from_json(document))
    assert SECRET not in file.read_text()
    cut_off = keeper.load().rotations[0].result(CutoverResult).cut_off
    assert cut_off == ("pid 7 (user app, open since 10:00:00.1 UTC)", "pid 8 (user app)")
