"""CONTRIBUTING.md names files: those that are there are there, and those that are to come are not."""

import re

from import_graph import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
NEW = re.findall(r"\*[^*`|]*`((?:rotator|modules)/[\w/.<>]+)`\*", TEXT)
NAMED = [path for path in re.findall(r"`((?:rotator|tests|docs|modules|templates)/[\w/.]+)`", TEXT) if path not in NEW]


def test_what_is_named_as_there_is_there() -> None:
    assert len(NAMED) > 20
    assert [path for path in NAMED if not (ROOT / path).exists()] == []


def test_what_is_named_as_new_is_not_there_yet() -> None:
    assert "rotator/journal/dynamodb.py" in NEW
    assert [path for path in NEW if "<" not in path and (ROOT / path).exists()] == []
