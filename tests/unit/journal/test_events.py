"""The journal's list of events: it follows from what is saved, and shows any change that was made to it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fake_world import new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.domain.env_files import JOURNAL_FILE
from rotator.domain.errors import Blocked
from rotator.journal.events import START, Event, broken, events_from_json, extended
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Event, ...]:
    """Of a whole rotation in memory."""
    folder = tmp_path_factory.mktemp("events")
    rotate(services(new_world(), folder), Options())
    return events_from_json(json.loads((folder / JOURNAL_FILE).read_text())["events"])


def test_a_rotation_leaves_what_every_step_went_through(events: tuple[Event, ...]) -> None:
    told = {(event.step, event.what) for event in events}
    assert {("green", "intended"), ("green", "done"), ("cutover", "done"), ("", "phase soaking"), ("", "run")} <= told
    assert events[0].before == START
    assert broken(events) is None
    assert all(event.rotation in ("", "shop-g1") for event in events)


@pytest.mark.parametrize("field", ["at", "actor", "rotation", "step", "what", "evidence", "before", "digest"])
def test_an_event_that_was_changed_shows(events: tuple[Event, ...], field: str) -> None:
    changed = list(events)
    changed[3] = replace(changed[3], **{field: "changed"})
    assert broken(changed) == 4


def test_events_that_were_removed_put_in_or_moved_show(events: tuple[Event, ...]) -> None:
    assert broken([*events[:3], *events[4:]]) == 4
    assert broken([events[1], events[0], *events[2:]]) == 1
    forged = Event("2026-01-01T00:00:00+00:00", "eve", "", "", "done", "").chained(events[2].digest)
    assert broken([*events[:3], forged, *events[3:]]) == 5


def test_a_chain_that_was_made_anew_from_there_on_is_another_one(events: tuple[Event, ...]) -> None:
    """Whoever can write the journal can do that: only an older version of it shows it."""
    rest = extended(events[:3], (replace(event, actor="eve") for event in events[3:]))
    assert broken(rest) is None
    assert rest[-1].digest != events[-1].digest


def test_a_journal_without_events_is_read_and_begins_its_chain(tmp_path: Path) -> None:
    rotate(services(new_world(), tmp_path), Options())
    file = tmp_path / JOURNAL_FILE
    document = json.loads(file.read_text())
    del document["events"]
    file.write_text(json.dumps(document))
    keeper = local_keeper("shop", tmp_path)
    keeper.tell("ann", "looked", "at an old journal")
    events = events_from_json(json.loads(file.read_text())["events"])
    assert [event.what for event in events] == ["looked"]
    assert broken(events) is None


@pytest.mark.parametrize("found", ["x", [1], [{"nobody": "knows"}], [{}]])
def test_damaged_events_end_in_one_message(tmp_path: Path, found: object) -> None:
    rotate(services(new_world(), tmp_path), Options())
    file = tmp_path / JOURNAL_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "events": found}))
    with pytest.raises(Blocked, match="cannot be read"):
        local_keeper("shop", tmp_path).load()


def test_no_value_of_a_result_is_in_an_event(events: tuple[Event, ...]) -> None:
    assert "arn:aws:kms" not in json.dumps([asdict(event) for event in events if event.step])
