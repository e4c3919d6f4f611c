"""A data file that somebody edited, or that is of another commit than the journal, is never written over in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import Killed, new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.commands.status import status
from rotator.domain.env_files import DATA_FILE, JOURNAL_FILE
from rotator.domain.errors import Blocked, MachineError
from rotator.domain.root import Imports, RootData
from rotator.journal.datafile import DataFile
from rotator.journal.keeper import JournalKeeper
from rotator.journal.local import LocalStore, local_keeper
from rotator.journal.private import InMemory
from rotator.report.status import render
from rotator.rotation.steps.context import Options


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rotate(services(new_world(), tmp_path), Options())
    return tmp_path / DATA_FILE


def edit(file: Path, change: Callable[[Any], Any]) -> str:
    document = json.loads(file.read_text())
    made = change(document)
    text = json.dumps(document if made is None else made)
    file.write_text(text)
    return text


def larger(document: Any) -> None:
    document["generations"]["g1"]["database"]["settings"]["instance_class"] = "db.r8g.large"


def unknown_generation(document: Any) -> None:
    document["generations"]["g9"] = document["generations"]["g1"]


def lacking(document: Any) -> None:
    del document["generations"]["g0"]


def other_serving(document: Any) -> None:
    document["serving"] = "g0"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (larger, "generations.g1.database.settings.instance_class"),
        (unknown_generation, "generations.g9 is in the file alone"),
        (lacking, "generations.g0 is missing in the file"),
        (other_serving, 'serving: the file has "g0", the journal "g1"'),
        (lambda document: [], "the whole: the file has []"),
    ],
)
def test_an_edit_is_refused_by_name_and_kept(file: Path, change: Callable[[Any], Any], words: str) -> None:
    text = edit(file, change)
    store = local_keeper("shop", file.parent)
    with pytest.raises(Blocked) as caught:
        store.take_up()
    assert caught.value.code == "data-edited"
    assert words in " ".join((caught.value.what, *caught.value.details))
    assert file.read_text() == text
    file.unlink()
    store.take_up()
    assert json.loads(file.read_text())["serving"] == "g1"


def test_status_tells_of_an_edit_and_changes_nothing(file: Path) -> None:
    text = edit(file, other_serving)
    found = status(services(new_world(), file.parent))
    assert "serving" in found.edited[0]
    assert "EDITED" in render(found)
    assert file.read_text() == text


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_damaged_file_is_refused(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.raises(Blocked) as caught:
        local_keeper("shop", file.parent).take_up()
    assert caught.value.code == "data-edited"
    assert file.read_bytes() == text


def test_a_file_that_is_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    with pytest.raises(MachineError, match="cannot be read"):
        local_keeper("shop", file.parent).take_up()


def test_a_file_without_a_journal_is_refused(file: Path) -> None:
    (file.parent / JOURNAL_FILE).unlink()
    with pytest.raises(Blocked, match="knows no generation"):
        local_keeper("shop", file.parent).take_up()


@pytest.mark.parametrize("layout", [{"indent": 8}, {"separators": (",", ":")}, {"sort_keys": True}])
def test_layout_is_nobodys_business(file: Path, layout: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()), **layout).replace("\n", "\r\n"))
    local_keeper("shop", file.parent).take_up()


def test_a_journal_of_before_the_digests_still_loads(file: Path) -> None:
    journal = file.parent / JOURNAL_FILE
    document = json.loads(journal.read_text())
    del document["derived"]
    journal.write_text(json.dumps(document))
    local_keeper("shop", file.parent).take_up()


class DiesBetween(DataFile):
    """The process dies in a save, between the journal and the file derived from it."""

    def write(self, data: RootData) -> None:
        raise Killed


@pytest.mark.parametrize("change", ["stage", "commit", "forget", "follow the world"])
def test_a_kill_between_the_two_files_is_no_edit(file: Path, change: str) -> None:
    store = local_keeper("shop", file.parent)
    journal = store.load()
    assert journal.root is not None
    other = replace(journal.root, serving="g0", imports=Imports(keys={"g0": "arn"}))
    if change in ("commit", "forget"):
        store.save(replace(journal, pending=other))
    after = {
        "stage": replace(journal, pending=other),
        "commit": replace(journal, root=replace(other, imports=Imports())),
        "forget": journal,
        "follow the world": replace(journal, root=other),
    }[change]
    text = file.read_text()
    dies = JournalKeeper("shop", LocalStore(file.parent), DiesBetween(file), InMemory())
    dies.load()
    with pytest.raises(Killed):
        dies.save(after)
    assert file.read_text() == text
    local_keeper("shop", file.parent).take_up()
    assert file.read_text() != text


def test_a_second_save_after_a_kill_forgets_what_is_two_behind(file: Path) -> None:
    store = local_keeper("shop", file.parent)
    journal = store.load()
    assert journal.root is not None
    text = file.read_text()
    for number in (1, 2):
        store.save(replace(journal, root=replace(journal.root, endpoint=replace(journal.root.endpoint, ttl=number))))
    file.write_text(text)
    with pytest.raises(Blocked, match=r"endpoint\.ttl"):
        local_keeper("shop", file.parent).take_up()


def as_it_was(data: Any) -> Any:
    """Data as rotator wrote it before there were further records, spellings and digests."""
    data.pop("also")
    data["endpoint"].pop("spelling")
    data["imports"].pop("also")
    return data


@pytest.fixture
def before_the_upgrade(file: Path) -> Path:
    journal = file.parent / JOURNAL_FILE
    document = json.loads(journal.read_text())
    del document["derived"]
    as_it_was(document["root"])
    journal.write_text(json.dumps(document, indent=2) + "\n")
    file.write_text(json.dumps(as_it_was(json.loads(file.read_text())), indent=2) + "\n")
    return file


def test_files_of_before_an_upgrade_are_nobodys_edit(before_the_upgrade: Path) -> None:
    local_keeper("shop", before_the_upgrade.parent).take_up()
    assert json.loads(before_the_upgrade.read_text())["also"] == []


def test_an_edit_of_a_file_of_before_an_upgrade_is_found(before_the_upgrade: Path) -> None:
    text = edit(before_the_upgrade, larger)
    with pytest.raises(Blocked, match="instance_class"):
        local_keeper("shop", before_the_upgrade.parent).take_up()
    assert before_the_upgrade.read_text() == text


def test_a_stage_that_an_older_rotator_was_applying_is_no_edit(before_the_upgrade: Path) -> None:
    journal = before_the_upgrade.parent / JOURNAL_FILE
    document = json.loads(journal.read_text())
    document["pending"] = json.loads(json.dumps(document["root"]))
    document["pending"]["endpoint"]["ttl"] = 5
    document["pending"]["imports"]["keys"] = {"g0": "arn"}
    journal.write_text(json.dumps(document))
    before_the_upgrade.write_text(json.dumps(document["pending"]))
    local_keeper("shop", before_the_upgrade.parent).take_up()


@pytest.mark.parametrize("old", [True, False])
def test_what_a_killed_first_plan_had_looked_at_is_no_edit(file: Path, old: bool) -> None:
    document = json.loads(file.read_text())
    document["imports"]["databases"] = {"g0": "shop-db"}
    file.write_text(json.dumps(as_it_was(document) if old else document))
    (file.parent / JOURNAL_FILE).unlink()
    local_keeper("shop", file.parent).take_up()
    assert not file.exists()
