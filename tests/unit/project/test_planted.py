"""The search for planted values finds them in every form that it claims to know."""

from __future__ import annotations

import base64
import gzip
import json
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from planted import Planted, blobs, value

BESIDE = [("", ""), ("a", "b"), ("ab", "c"), ("abc", "defg"), ('{"x": "é', '"}\n')]


@pytest.mark.parametrize(("before", "after"), BESIDE)
def test_it_is_found_in_every_form(before: str, after: str) -> None:
    planted = Planted()
    text = before + planted.one("row") + after
    written = [
        text.encode(),
        text.encode("utf-16-le"),
        text.encode().hex().encode(),
        base64.b64encode(text.encode()),
        base64.urlsafe_b64encode(text.encode()),
        json.dumps({"text": text}).encode(),
        quote(text).encode(),
    ]
    assert [planted.found_in(b"x" + each + b"y") for each in written] == [frozenset({"row"})] * len(written)


def test_it_is_found_in_a_plan(tmp_path: Path) -> None:
    planted = Planted()
    with zipfile.ZipFile(tmp_path / "plan", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tfplan", f"before {planted.one('row')} after" * 9)
    assert [bool(planted.found_in(each)) for each in blobs(tmp_path / "plan")] == [False, True]


def test_what_is_not_there_is_not_found_and_what_cannot_be_seen_is_no_proof() -> None:
    planted = Planted()
    planted.one("key")
    assert planted.found_in(value().encode() * 50) == frozenset()
    assert planted.found_in(gzip.compress(planted.values["key"][0].encode() * 3)) == frozenset()  # a known limit
